r"""How loud a syndrome may be before somebody is wrong, and how likely wrong answers agree by chance.

Unit: the relative rounding error of one answer (lambda) times the root mean square of all answers in the same row.

*Clean syndromes.* Answers y_w carry errors n_w of at most a few units. With orthonormal checks h the syndrome of one
word, s = H^T n, has c components of one unit each, so $|s| \le a(\sqrt c + \sqrt{2\ln(1/p)})$ but for a probability p
(Gaussian concentration; a is the error of one answer in units). All W words together stay below

$$\tau = a\left(\sqrt c + \sqrt{2 \ln(W / p)}\right), \qquad p = 10^{-9}.$$

Measured, fingerprints included: a = 0.2 to 1.0 on random matrices with inner dimensions 4 to 65536, up to 3.4 on
sparse and badly scaled ones and on badly conditioned bases. `MARGIN` takes 5.

*Uniform rows.* Where all entries of a row are alike, as in products of constant matrices, all are rounded alike: the
error is one number, and adding up 2000 equal terms makes it up to 150 machine epsilons. Such rows of the answers are
known by being multiples of one another to rounding; for them the unit is `UNIFORM` times as large.

*False agreement.* d real numbers of a wrong answer's size s, in units, all fall below tau with probability
$(\tau^2 / 2 s^2)^{d/2} / \Gamma(d/2 + 1)$: a Gaussian density times the volume of a ball.
"""

from math import comb, inf, lgamma, log, log10, sqrt

#: Error of one clean answer, in units, that is still believed.
MARGIN = 5.0

#: So many times more are uniform rows off.
UNIFORM = 30.0

#: Probability that one clean set of answers is suspected because of chance alone.
FALSE_ALARM = 1e-9

#: A Gaussian vector of one unit in each component is longer than usual by more than this only that rarely.
CHANCE = sqrt(2 * log(1 / FALSE_ALARM))

#: Believed answers must show errors as large as the answers themselves.
UNSEEN = 1.0

#: An answer whose row of parity checks is shorter than this takes part in none of them.
HIDDEN = 1e-9


def loudest_clean(checks: int, words: int) -> float:
    """Tau: no word of a clean set of answers has a louder syndrome, in units of rounding.

    Args:
        checks: number of parity checks c.
        words: number of words W that are looked at.

    >>> round(loudest_clean(checks=4, words=1000))
    47
    """
    return MARGIN * (sqrt(checks) + sqrt(2 * log(max(1, words) / FALSE_ALARM)))


def unseen(together: float, words: int, noise: float, least: float) -> float:
    """The largest error that a believed answer can have, relative to the size of an answer; inf: any.

    An error and everybody's rounding add up, as vectors independent of one another, to what the syndromes are. So it is
    no louder than they are, but for chance.

    Args:
        together: norm of the syndromes of all words, in units.
        words: number of words.
        noise: relative error of one clean answer.
        least: norm of the shortest row of the believed answers' parity checks.
    """
    # The unit of rounding holds each row's own size and the usual one: for rows all alike the root of two.
    return (together + CHANCE) * sqrt(2 / words) * noise / least if least > HIDDEN else inf


def false_agreement(answers: int, wrong: int, numbers: int, loudness: float, visibility: float) -> float:
    """Probability that some set of answers of that size agrees although one of its members is wrong at random.

    Args:
        answers: how many answers there are.
        wrong: how many are thrown out.
        numbers: real numbers d by which one wrong member would have to betray itself.
        loudness: tau of the set that agrees.
        visibility: what an error as large as the answers themselves makes of the syndrome, in units.

    Returns:
        At most 1; 0 where it is below the smallest float.

    >>> false_agreement(answers=8, wrong=3, numbers=2, loudness=40.0, visibility=5e6) < 1e-8
    True
    """
    if visibility <= 0 or numbers < 1:
        return 1.0
    logarithm = log(comb(answers, wrong)) + numbers * log(loudness / visibility / sqrt(2)) - lgamma(numbers / 2 + 1)
    return min(1.0, 10 ** (logarithm / log(10))) if logarithm > -inf and logarithm / log(10) > -300 else 0.0


def in_words(probability: float) -> str:
    """A probability as a person writes it.

    >>> in_words(3e-8), in_words(0.0)
    ('3e-08', 'below 1e-100')
    """
    return "below 1e-100" if probability <= 0 or log10(probability) < -100 else f"{probability:.0e}"
