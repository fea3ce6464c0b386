"""What a made-up corpus for tests of the report shall be like, and the params that would have made it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.project.params import Params

NASTY = (
    "<script>document.title='owned'</script> & \"quotes\" 'single' </script><!--",
    "\u202eright to left override\u202c and \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "emoji 😀👩‍👩‍👧 and combining e\u0301, {{ 7 * 7 }} {% raw %} ${1} `tick`",
    "</style><img src=x onerror=\"document.title='owned'\"> <a href=javascript:1>x</a>",
    "line\u2028separator\u2029 tab\t nul-free \\u003c \\ backslash",
)


@dataclass(frozen=True)
class Plan:
    """What the corpus shall be like; `runs` are (name, task, attends).

    sizes: numbers of training rows for which the first run is there again. seeds: how many each run has.
    """

    name: str = "demo"
    texts: tuple[str, ...] = ()
    ordered: bool = True
    groups: bool = True
    runs: tuple[tuple[str, str, bool], ...] = (
        ("demo-linear", "classify", False),
        ("demo-attn", "classify", True),
        ("demo-regress", "regress", True),
    )
    sizes: tuple[int, ...] = ()
    seeds: int = 1
    headline: str = "accuracy"
    case: str | None = None

    @property
    def all_runs(self) -> tuple[tuple[str, str, bool, int | None], ...]:
        """The runs with their numbers of training rows, those of a learning curve last."""
        sizes = [(f"{self.runs[0][0]}-{rows}", *self.runs[0][1:], rows) for rows in self.sizes]
        return (*((*run, None) for run in self.runs), *sizes)


def make_params(*plans: Plan) -> Params:
    """The params that would have made the corpora."""
    return Params.model_validate(
        {
            "encoders": {"en": {"model": "encoders/mini-en"}},
            "corpora": {plan.name: _corpus(plan) for plan in plans},
            "runs": {name: run for plan in plans for name, run in _runs(plan).items()},
            "training": {},
            "attention": {},
        }
    )


def _corpus(plan: Plan) -> dict[str, object]:
    columns = {"text": "text", "label": "label"} | ({"group": "film"} if plan.groups else {})
    return {
        "source": "demo.csv",
        "columns": columns,
        "headline": plan.headline,
        "case": plan.case,
        "labels": {"rating": (1, 5)} if plan.ordered else {"classes": ["bad", "good"]},
        "split": {},
        "language": "en",
        "encode": {"encoder": "en", "max_length": 64},
        "words": {},
        "tsne": {},
    }


def _runs(plan: Plan) -> dict[str, object]:
    return {
        name: {
            "corpus": plan.name,
            "head": "self_attentive" if attends else "linear",
            "task": task,
            "seeds": list(range(13, 13 + plan.seeds)),
            "rows": rows,
        }
        for name, task, attends, rows in plan.all_runs
    }
