"""The kinds of model that can be fitted, each with its stated space of candidates."""

from medomicslab_nb.models.learners.linear import ELASTIC_NET, LASSO, PLAIN, RIDGE
from medomicslab_nb.models.learners.problem import Learner
from medomicslab_nb.models.learners.searched import BOOSTING, LIGHTGBM, SUPPORT_VECTORS, XGBOOST
from medomicslab_nb.models.learners.trees import FOREST

LEARNERS: dict[str, Learner] = {learner.name: learner for learner in (
    RIDGE, FOREST, LASSO, ELASTIC_NET, BOOSTING, SUPPORT_VECTORS, LIGHTGBM, XGBOOST, PLAIN)}
"""Every learner by its name in settings and tables."""
