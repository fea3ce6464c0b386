"""Known corpora: each file in `presets/` says where one is to be had, how it is read, which runs suit it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from features.errors import InputError
from pipeline.commands.entry import Entry
from pipeline.project.params import CorpusParams, RunParams, StrictModel, load_yaml

FOLDER = Path("presets")

Text = Annotated[str, Field(min_length=1)]
FileName = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")]
Digest = Annotated[str, Field(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]


class Download(StrictModel):
    """Where the files of a corpus are to be had; exactly one of `kaggle`, `hub` and `url`.

    kaggle: `owner/name` of a data set, or `competitions/name`.
    hub: `owner/name` of a Hugging Face data set, pinned by `revision` to a commit.
    url: the folder on the web that they lie in.
    remote: what is downloaded from there, where it is not the files themselves: archives that hold them.
    within: a folder inside the archives, where they hold several files of one name.
    digests: `md5:` or `sha256:` and hexadecimal digits for each download whose digest is known.
    folder: where the files belong. files: their names.
    """

    kaggle: str | None = None
    hub: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    url: str | None = None
    remote: Annotated[list[FileName], Field(min_length=1)] | None = None
    within: Text | None = None
    digests: dict[str, Digest] = Field(default={})
    folder: Text
    files: Annotated[list[FileName], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_place(self) -> Download:
        if sum(place is not None for place in (self.kaggle, self.hub, self.url)) != 1:
            raise ValueError("give one of `kaggle`, `hub` and `url`")
        if (self.hub is None) != (self.revision is None):
            raise ValueError("`hub` and `revision` go together")
        if not self.digests.keys() <= set(self.wanted):
            raise ValueError("`digests` names something that is not downloaded")
        return self

    @property
    def wanted(self) -> list[str]:
        """Names of what is downloaded."""
        return self.remote or self.files

    @property
    def page(self) -> str:
        """Where people find it in a browser."""
        if self.kaggle is not None:
            kind = "" if self.kaggle.startswith("competitions/") else "datasets/"
            return f"https://www.kaggle.com/{kind}{self.kaggle}"
        if self.hub is not None:
            return f"https://huggingface.co/datasets/{self.hub}"
        scheme, _, rest = (self.url or "").partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"  # without a name and password


class Preset(StrictModel):
    """One known corpus.

    title, licence, metric: for people; `metric` is the figure that reports of this corpus lead with.
    download: where its files are to be had. corpora, runs: its lines of `params.yaml`.
    """

    title: Text
    licence: Text
    metric: Text
    download: Download
    corpora: Annotated[dict[str, CorpusParams], Field(min_length=1, max_length=1)]
    runs: Annotated[dict[str, RunParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _runs_are_its_own(self) -> Preset:
        (corpus,) = self.corpora
        for name, run in self.runs.items():
            if run.corpus != corpus or not name.startswith(f"{corpus}-"):
                raise ValueError(f"run {name!r} is not one of corpus {corpus!r}")
        return self

    @property
    def entry(self) -> Entry:
        """What it adds to `params.yaml`."""
        said = self.model_dump(include={"corpora", "runs"}, exclude_unset=True)
        ((name, corpus),) = said["corpora"].items()
        return Entry(name, corpus, said["runs"])


def preset_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """All presets, by the names of their files."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def load_preset(name: str, folder: Path = FOLDER) -> Preset:
    """One preset by name; InputError lists those there are, or says what is wrong with its file."""
    path = folder / f"{name}.yaml"
    if name not in preset_names(folder):
        there = ", ".join(preset_names(folder)) or "none"
        raise InputError(f"there is no preset {name!r}; {folder}/ has {there}")
    return load_yaml(path, Preset)
