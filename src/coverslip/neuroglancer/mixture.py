"""Gaussian mixtures of single values, fitted by expectation and maximisation. Pure and without chance.

Method: Bishop, Pattern Recognition and Machine Learning (2006), section 9.2; the number of components by the Bayesian
information criterion, Schwarz (1978).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ROUNDS = 200
ENOUGH = 1e-5
"""Rounds end when the mean log-likelihood of a value rises by less."""
LEAST_VARIANCE = 1e-6
"""Of a component, as part of the variance of all values: none shrinks to a single value."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of normal distributions; arrays of shape (components,)."""

    weights: Values
    means: Values
    deviations: Values
    bic: float
    """Bayesian information criterion of the standardised values: less is better."""


def best_mixture(values: Values, most: int = 3) -> Mixture:
    """Return the mixture of 1 to ``most`` components with the least Bayesian information criterion.

    Parameters
    ----------
    values
        Shape (n,), finite, not all the same.
    most
        How many components are tried.
    """
    center, spread = float(values.mean()), float(values.std())
    standard = np.sort((values - center) / spread)
    fits = [_fit(standard, start) for count in range(1, most + 1) for start in _starts(standard, count)]
    best = min(fits, key=lambda fit: fit.bic)
    return Mixture(best.weights, best.means * spread + center, best.deviations * spread, best.bic)


def _fit(values: Values, means: Values) -> Mixture:
    """Fit sorted values whose mean is 0 and whose variance is 1, beginning with components around such means."""
    count = means.size
    parts = _split(values, means)
    weights = np.array([part.size + 1.0 for part in parts])
    weights /= weights.sum()
    variances = np.array([part.var() if part.size else 1.0 for part in parts]) + LEAST_VARIANCE
    before = -math.inf
    for _ in range(ROUNDS):
        shares, likelihood = _expect(values, weights, means, variances)
        if likelihood - before < ENOUGH:
            break
        before = likelihood
        sums = shares.sum(axis=1) + 10 * np.finfo(np.float64).eps
        weights, means = sums / sums.sum(), shares @ values / sums
        variances = np.maximum(shares @ values**2 / sums - means**2, 0) + LEAST_VARIANCE
    _, likelihood = _expect(values, weights, means, variances)
    bic = -2 * likelihood * values.size + (3 * count - 1) * math.log(values.size)
    return Mixture(weights, means, np.sqrt(variances), bic)


def _starts(values: Values, count: int) -> list[Values]:
    """Return means to begin with: of parts of as many values, and of parts as wide. Either may end in a worse fit."""
    if count == 1:
        return [np.zeros(1)]
    low, high = np.quantile(values, (0.005, 0.995))
    wide = low + (high - low) * (np.arange(count) + 0.5) / count
    return [_lloyd(values, np.array([part.mean() for part in np.array_split(values, count)])), _lloyd(values, wide)]


def _lloyd(values: Values, means: Values) -> Values:
    """Return means after some rounds of Lloyd's algorithm."""
    for _ in range(20):
        parts = _split(values, means)
        if any(part.size == 0 for part in parts):
            break
        means = np.array([part.mean() for part in parts])
    return means


def _split(values: Values, means: Values) -> list[Values]:
    """Return the values nearest to each mean."""
    return np.split(values, np.searchsorted(values, (means[1:] + means[:-1]) / 2))


def _expect(values: Values, weights: Values, means: Values, variances: Values) -> tuple[Values, float]:
    """Return the share of every component in every value, shape (components, n), and the mean log-likelihood."""
    scaled = (values[None] - means[:, None]) ** 2 / variances[:, None]
    logs = np.log(weights)[:, None] - 0.5 * (scaled + np.log(2 * math.pi * variances)[:, None])
    top = logs.max(axis=0)
    shares = np.exp(logs - top)
    total = shares.sum(axis=0)
    return shares / total, float((np.log(total) + top).mean())
