"""Which DICOM elements a de-identified copy keeps. Everything that does not stand here is left out.

The lists follow the Basic Application Level Confidentiality Profile of DICOM PS3.15 annex E with the options "Retain
Longitudinal Temporal Information With Modified Dates" and, in part, "Retain Patient Characteristics" (sex, size and
weight, which SUVs need) and "Retain Safe Private". Read by people who check them: keywords only, grouped by what they
are for.
"""

from __future__ import annotations

GENERAL = """
    SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID Modality Manufacturer ManufacturerModelName
    SoftwareVersions StudyInstanceUID SeriesInstanceUID SeriesNumber InstanceNumber AcquisitionNumber
    FrameOfReferenceUID PositionReferenceIndicator SynchronizationFrameOfReferenceUID Laterality ImageLaterality
    BodyPartExamined ViewPosition PresentationLUTShape LossyImageCompression LossyImageCompressionRatio
    LossyImageCompressionMethod BurnedInAnnotation RecognizableVisualFeatures QualityControlImage
    StudyDate SeriesDate AcquisitionDate ContentDate AcquisitionDateTime StudyTime SeriesTime AcquisitionTime
    ContentTime TimezoneOffsetFromUTC TemporalPositionIdentifier NumberOfTemporalPositions TemporalPositionIndex
    ImagesInAcquisition
    PatientSex PatientSize PatientWeight PatientPosition
"""

PIXELS = """
    Rows Columns NumberOfFrames SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated BitsStored
    HighBit PixelRepresentation PixelData SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue
    PixelPaddingRangeLimit RescaleIntercept RescaleSlope RescaleType WindowCenter WindowWidth FrameIncrementPointer
    RealWorldValueMappingSequence RealWorldValueIntercept RealWorldValueSlope RealWorldValueFirstValueMapped
    RealWorldValueLastValueMapped MeasurementUnitsCodeSequence PixelAspectRatio
"""

GEOMETRY = """
    ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices
    SliceLocation GantryDetectorTilt GridFrameOffsetVector PatientOrientationCodeSequence
    PatientOrientationModifierCodeSequence PatientGantryRelationshipCodeSequence
"""

ACQUISITION = """
    ScanOptions KVP DataCollectionDiameter ReconstructionDiameter DistanceSourceToDetector DistanceSourceToPatient
    TableHeight RotationDirection ExposureTime XRayTubeCurrent Exposure ExposureModulationType FilterType
    GeneratorPower FocalSpots ConvolutionKernel ReconstructionAlgorithm SpiralPitchFactor SingleCollimationWidth
    TotalCollimationWidth TableSpeed TableFeedPerRotation CTDIvol RevolutionTime ContrastBolusVolume
    ContrastBolusStartTime ContrastBolusTotalDose ContrastFlowRate ContrastFlowDuration
    ScanningSequence SequenceVariant SequenceName MRAcquisitionType RepetitionTime EchoTime InversionTime
    NumberOfAverages ImagingFrequency ImagedNucleus EchoNumbers MagneticFieldStrength NumberOfPhaseEncodingSteps
    EchoTrainLength PercentSampling PercentPhaseFieldOfView PixelBandwidth ReceiveCoilName TransmitCoilName
    AcquisitionMatrix InPlanePhaseEncodingDirection FlipAngle VariableFlipAngleFlag SAR AngioFlag TriggerTime
    DiffusionBValue ParallelReductionFactorInPlane AcquisitionDuration
"""

PET = """
    Units SUVType CountsSource SeriesType ReprojectionMethod NumberOfRRIntervals NumberOfTimeSlots NumberOfSlices
    NumberOfTimeSlices RandomsCorrectionMethod AttenuationCorrectionMethod DecayCorrection ReconstructionMethod
    DetectorLinesOfResponseUsed ScatterCorrectionMethod AxialAcceptance AxialMash TransverseMash
    CoincidenceWindowWidth SecondaryCountsType FrameReferenceTime PrimaryPromptsCountsAccumulated
    SecondaryCountsAccumulated SliceSensitivityFactor DecayFactor DoseCalibrationFactor ScatterFractionFactor
    DeadTimeFactor ImageIndex CorrectedImage ActualFrameDuration DecayCorrected DecayCorrectionDateTime
    AcquisitionStartCondition AcquisitionTerminationCondition AcquisitionStartConditionData
    AcquisitionTerminationConditionData CollimatorType FieldOfViewShape FieldOfViewDimensions
    RadiopharmaceuticalInformationSequence Radiopharmaceutical RadiopharmaceuticalVolume RadiopharmaceuticalStartTime
    RadiopharmaceuticalStopTime RadiopharmaceuticalStartDateTime RadiopharmaceuticalStopDateTime
    RadionuclideTotalDose RadionuclideHalfLife RadionuclidePositronFraction RadiopharmaceuticalSpecificActivity
    RadionuclideCodeSequence RadiopharmaceuticalCodeSequence EnergyWindowRangeSequence EnergyWindowLowerLimit
    EnergyWindowUpperLimit NumberOfIterations NumberOfSubsets
"""

CODES = """
    CodeValue LongCodeValue CodingSchemeDesignator CodingSchemeVersion CodeMeaning ContextIdentifier MappingResource
"""

CONTOURS = """
    StructureSetDate StructureSetTime ReferencedFrameOfReferenceSequence RTReferencedStudySequence
    RTReferencedSeriesSequence ContourImageSequence ReferencedSOPClassUID ReferencedSOPInstanceUID
    ReferencedFrameNumber StructureSetROISequence ROINumber ReferencedFrameOfReferenceUID ROIName
    ROIGenerationAlgorithm ROIVolume ROIContourSequence ReferencedROINumber ROIDisplayColor ContourSequence
    ContourNumber AttachedContours ContourGeometricType ContourSlabThickness ContourOffsetVector
    NumberOfContourPoints ContourData RTROIObservationsSequence ObservationNumber RTROIInterpretedType
    RelatedFrameOfReferenceUID FrameOfReferenceRelationshipSequence
"""

SEGMENTATION = """
    SegmentationType SegmentationFractionalType MaximumFractionalValue SegmentsOverlap SegmentSequence SegmentNumber
    SegmentLabel SegmentAlgorithmType SegmentAlgorithmName SegmentedPropertyCategoryCodeSequence
    SegmentedPropertyTypeCodeSequence SegmentedPropertyTypeModifierCodeSequence AnatomicRegionSequence
    SegmentIdentificationSequence ReferencedSegmentNumber DimensionOrganizationSequence DimensionOrganizationUID
    DimensionOrganizationType DimensionIndexSequence DimensionIndexPointer FunctionalGroupPointer
    DerivationImageSequence SourceImageSequence PurposeOfReferenceCodeSequence DerivationCodeSequence
    SpatialLocationsPreserved ReferencedSeriesSequence ReferencedInstanceSequence ReferencedImageSequence
    RecommendedDisplayCIELabValue PixelPaddingValue
"""

FRAMES = """
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PlanePositionSequence PlaneOrientationSequence
    PixelMeasuresSequence FrameContentSequence DimensionIndexValues StackID InStackPositionNumber
    FrameAcquisitionNumber FrameAcquisitionDateTime FrameReferenceDateTime FrameAcquisitionDuration FrameType
    PixelValueTransformationSequence FrameVOILUTSequence CTImageFrameTypeSequence MRImageFrameTypeSequence
    PETFrameTypeSequence FrameAnatomySequence FrameLaterality PixelPresentation VolumetricProperties
    VolumeBasedCalculationTechnique ComplexImageComponent AcquisitionContrast
"""

DOSE = """
    DoseUnits DoseType DoseSummationType DoseGridScaling TissueHeterogeneityCorrection NormalizationPoint
    ReferencedRTPlanSequence ReferencedStructureSetSequence
"""

REGISTRATION = """
    RegistrationSequence MatrixRegistrationSequence MatrixSequence FrameOfReferenceTransformationMatrixType
    FrameOfReferenceTransformationMatrix FrameOfReferenceTransformationType RegistrationTypeCodeSequence
    StudiesContainingOtherReferencedInstancesSequence
"""

KEPT = frozenset(" ".join((GENERAL, PIXELS, GEOMETRY, ACQUISITION, PET, CODES, CONTOURS, SEGMENTATION, FRAMES, DOSE,
                           REGISTRATION)).split())
"""Keywords of the elements that are kept, at every depth."""

TERMS = {
    "Modality": "CT MR PT NM RTSTRUCT SEG RTDOSE REG",
    "ImageType": "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER",
    "PatientSex": "M F O",
    "PatientPosition": "HFS HFP FFS FFP HFDR HFDL FFDR FFDL LFP LFS RFP RFS AFDR AFDL PFDR PFDL SITTING",
    "Units": "CNTS NONE CM2 CM2ML PCNT CPS BQML MGMINML UMOLMINML MLMING MLG 1CM UMOLML PROPCNTS PROPCPS MLMINML "
             "MLML GML STDDEV SUV",
    "SUVType": "BSA BW LBM LBMJAMES128 LBMJANMA IBW",
    "DecayCorrection": "NONE START ADMIN",
    "DecayCorrected": "YES NO",
    "CorrectedImage": "DECY ATTN SCAT DTIM MOTN PMOT CLN RAN RADL DCAL NORM BEDR UNIF COIN RCTR GEOM",
    "SeriesType": "STATIC DYNAMIC GATED WHOLE BODY IMAGE REPROJECTION",
    "PhotometricInterpretation": "MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_RCT YBR_ICT PALETTE COLOR",
    "RescaleType": "HU US OD Z_EFF ED EDW HU_MOD PCT normalized",
    "DoseUnits": "GY RELATIVE",
    "DoseType": "PHYSICAL EFFECTIVE ERROR",
    "DoseSummationType": "PLAN MULTI_PLAN PLAN_OVERVIEW FRACTION BEAM BRACHY FRACTION_SESSION BEAM_SESSION "
                         "BRACHY_SESSION CONTROL_POINT RECORD",
    "ContourGeometricType": "POINT OPEN_PLANAR OPEN_NONPLANAR CLOSED_PLANAR CLOSEDPLANAR_XOR",
    "SegmentationType": "BINARY FRACTIONAL LABELMAP",
    "SegmentationFractionalType": "PROBABILITY OCCUPANCY",
    "BurnedInAnnotation": "YES NO",
    "FrameOfReferenceTransformationMatrixType": "RIGID RIGID_SCALE AFFINE",
}
"""Words that are no name in these elements, whatever the patient is called: voxels and coordinates depend on them."""

MODALITIES = frozenset("CT MR PT NM RTSTRUCT SEG RTDOSE REG".split())
"""Modalities that are copied at all."""

PRIVATE = {
    (0x7053, "Philips PET Private Group"): {0x00: "DS", 0x09: "DS"},
    (0x0009, "GEMS_PETD_01"): {0x0D: "DT"},
}
"""Private elements that are kept, by group and creator, with their value representation: Philips' factors, without
which counts cannot become SUV, and GE's start of the scan, to which decay was corrected."""

EMPTY = ("PatientBirthDate", "ReferringPhysicianName", "AccessionNumber", "StudyID")
"""Elements that the standard asks for: they stand in the copy without a value."""

REPLACED = {"StructureSetLabel": "RTSTRUCT", "ContentLabel": "CONTENT", "ContentCreatorName": ""}
"""Elements whose value is replaced where the original has them."""

IDENTIFYING = """
    PatientName PatientID OtherPatientNames OtherPatientIDs PatientBirthName PatientMotherBirthName PatientAddress
    PatientTelephoneNumbers AccessionNumber MedicalRecordLocator MilitaryRank StudyID ReferringPhysicianName
    RequestingPhysician PerformingPhysicianName OperatorsName PhysiciansOfRecord NameOfPhysiciansReadingStudy
    ContentCreatorName ReviewerName ROIInterpreter ResponsiblePerson InstitutionName AdmissionID RequestedProcedureID
    ScheduledProcedureStepID PerformedProcedureStepID
""".split()
"""Elements whose words are looked for in every text that is kept."""

METHOD = "medomicslab_nb allow-list 1 (PS3.15 E basic, modified dates)"
METHOD_CODES = (("113100", "Basic Application Confidentiality Profile"),
                ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
                ("113108", "Retain Patient Characteristics Option"))
SAFE_PRIVATE_CODE = ("113111", "Retain Safe Private Option")
