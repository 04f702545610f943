"""Texts of the views in English and French; ``MEDOMICSLAB_LANG`` chooses (en, fr)."""

from __future__ import annotations

import os

LANGUAGES = ("en", "fr")

TEXTS: dict[str, tuple[str, str]] = {
    "advanced": ("Advanced settings", "Réglages avancés"),
    "apply": ("Save correction", "Enregistrer la correction"),
    "block": ("block", "bloc"),
    "binary": ("two classes", "deux classes"),
    "blocks": ("Blocks of predictors", "Blocs de prédicteurs"),
    "cancel": ("Cancel", "Annuler"),
    "cancelled": ("Cancelled.", "Annulé."),
    "cancelling": ("Cancelling ...", "Annulation ..."),
    "changed": ("changed, default: {default}", "modifié, défaut : {default}"),
    "column": ("column", "colonne"),
    "columns": ("columns", "colonnes"),
    "completed": ("Completed in {duration}.", "Terminé en {duration}."),
    "continuous": ("a number", "un nombre"),
    "contours": ("Contours", "Contours"),
    "correct": ("Correct the data dictionary", "Corriger le dictionnaire de données"),
    "default": ("default", "défaut"),
    "dictionary": ("Data dictionary", "Dictionnaire de données"),
    "endpoint": ("endpoint", "critère"),
    "endpoints": ("Endpoints", "Critères de jugement"),
    "events": ("events", "événements"),
    "failed": ("Failed: {reason}", "Échec : {reason}"),
    "findings": ("What came out", "Ce qui en ressort"),
    "found_again": ("A run of this stage was under way and is followed here.",
                    "Une exécution de cette étape était en cours ; elle est suivie ici."),
    "further_columns": ("{n} further columns", "{n} autres colonnes"),
    "images": ("Images", "Images"),
    "interval": ("interval", "intervalle"),
    "invalid": ("Correct the settings marked below.", "Corrigez les réglages signalés ci-dessous."),
    "kind": ("kind", "nature"),
    "lacking": ("{n} patients lack at least one block; what that means is learned in training. The setting 'complete' "
                "leaves them out.",
                "{n} patients n'ont pas tous les blocs ; ce que cela signifie est appris à l'entraînement. Le réglage "
                "« complete » les exclut."),
    "learner": ("learner", "modèle"),
    "modality": ("modality", "modalité"),
    "multiclass": ("several classes", "plusieurs classes"),
    "no_endpoint": ("The data dictionary names no endpoint yet.",
                    "Le dictionnaire de données ne nomme encore aucun critère."),
    "no_images": ("This study has no images yet. Add a folder with: medomicslab add",
                  "Cette étude n'a pas encore d'images. Ajoutez un dossier avec : medomicslab add"),
    "no_runs": ("No runs yet.", "Aucune exécution."),
    "no_tables": ("This study has no tables yet. Add one with: medomicslab add",
                  "Cette étude n'a pas encore de table. Ajoutez-en une avec : medomicslab add"),
    "not_clear": ("to be set: {reason}", "à préciser : {reason}"),
    "not_a_value": ("this text cannot be read: {reason}", "ce texte est illisible : {reason}"),
    "patients": ("patients", "patients"),
    "predictors": ("predictors", "prédicteurs"),
    "problems": ("problems", "problèmes"),
    "quality": ("Quality of the data", "Qualité des données"),
    "ready": ("Ready.", "Prêt."),
    "report": ("Open the report", "Ouvrir le rapport"),
    "required": ("required", "obligatoire"),
    "role": ("role", "rôle"),
    "rows": ("rows", "lignes"),
    "run": ("Run", "Lancer"),
    "running": ("Running", "En cours"),
    "runs": ("Runs", "Exécutions"),
    "saved": ("Saved.", "Enregistré."),
    "setting": ("setting", "réglage"),
    "settings": ("Settings", "Réglages"),
    "stage": ("stage", "étape"),
    "stale": ("stale: {inputs} changed", "périmé : {inputs} a changé"),
    "started": ("started", "début"),
    "status": ("status", "état"),
    "survival": ("time to event", "délai jusqu'à l'événement"),
    "survival_competing": ("time to event, competing events", "délai jusqu'à l'événement, événements concurrents"),
    "table": ("table", "table"),
    "tables": ("Tables", "Tables"),
    "type": ("type", "type"),
    "unit": ("unit", "unité"),
    "value": ("value", "valeur"),
    "warnings": ("Before you use these numbers", "Avant d'utiliser ces résultats"),
}


def language() -> str:
    """``fr`` or ``en``; a region such as in ``fr_CA.UTF-8`` is accepted, anything else is English."""
    wanted = os.environ.get("MEDOMICSLAB_LANG", "en").lower()[:2]
    return wanted if wanted in LANGUAGES else "en"


def text(key: str, **values: object) -> str:
    """The text of that key in the chosen language, with ``values`` filled in."""
    found = TEXTS[key][LANGUAGES.index(language())]
    return found.format(**values) if values else found
