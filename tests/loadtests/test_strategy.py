"""What strategies and memory bring on the sandbox, as `make strategy-bench` measures it, on seeds of its own."""

import pytest

from loadtests.strategy.sandbox import PAIRS, compare

BY_NAME = {pair.name: pair for pair in PAIRS}


@pytest.mark.slow
async def test_memory_lifts_product_questions() -> None:
    """A third of the questions can't be answered without it; the interval is clear of 0."""
    found = await compare(BY_NAME["memory of 5 entries, none"], seed=11, count=150)
    assert found.right.low > 0.1
    assert found.usd.low > 0.0  # what is recalled is paid for


@pytest.mark.slow
async def test_a_cascade_whose_prompt_states_the_form_is_cheaper_and_not_worse() -> None:
    found = await compare(BY_NAME["cascade small to large (three that agree), large"], seed=12, count=200)
    assert found.usd.high < -0.1 * found.usd.second
    assert found.right.high > 0.0
    assert found.right.low > -0.06  # 200 pairs tell no finer
