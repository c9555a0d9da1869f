"""Words for the numbers a text remedy is judged by."""

ERASURE_METRICS = {
    "erasing.gap_before": "gap of held-out words without the remedy",
    "erasing.gap_after": "gap of held-out words with the remedy",
    "erasing.gap_change": "change of the gap by the remedy",
    "erasing.gap_left": "left of the gap with the remedy",
    "erasing.random_left": "left of the gap with random changes",
    "erasing.shuffled_left": "left of the gap with refits to shuffled labels",
    "erasing.leakage": "leakage: the association read by a probe",
    "erasing.kl": "change of neutral text (KL)",
    "erasing.kl_rank": "change of neutral text (KL), among random changes",
    "erasing.random_kl": "change of neutral text by random changes (KL)",
    "erasing.neutral_logprob": "change of the log-probability of neutral text",
    "erasing.recognition": "change of how often a stated pole is recognised",
    "erasing.dose_rise": "steepest rise of the gap as the strength grows",
    "erasing.extrinsic_before": "untuned measure without the remedy",
    "erasing.extrinsic_after": "untuned measure with the remedy",
    "erasing.extrinsic_change": "change of an untuned measure",
    "erasing.overcorrected": "targets that turned round",
}
