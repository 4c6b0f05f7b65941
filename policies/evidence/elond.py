"""e-LOND: how strong the evidence for the k-th candidate of a stream must be.

Promoting when E_k >= 1/(alpha gamma_k (R + 1)), R the promotions so far and gamma summing to 1, keeps the expected
share of false promotions among all promotions ever made at or below alpha, under any dependence between candidates.

Source: Xu and Ramdas, "Online multiple testing with e-values", AISTATS 2024.
"""


def gamma(k: int) -> float:
    """The k-th candidate's part of the error budget, k from 1: 1/(k (k + 1)), which sums to 1."""
    return 1.0 / (k * (k + 1))


def threshold(k: int, promotions_so_far: int, alpha: float) -> float:
    """The e-value that promotes the k-th candidate.

    `k` (from 1) is fixed when its canary starts; `promotions_so_far` counts the automatic promotions at the moment of
    decision, so that canaries may run in parallel. Operators' overrides count in neither.

    Raises:
        ValueError: k below 1, a negative count, or alpha outside (0, 1).
    """
    if k < 1 or promotions_so_far < 0 or not 0.0 < alpha < 1.0:
        raise ValueError(f"no e-LOND threshold for k={k}, promotions={promotions_so_far}, alpha={alpha}")
    return 1.0 / (alpha * gamma(k) * (promotions_so_far + 1))
