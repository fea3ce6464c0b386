"""How people call their columns; what a name says counts for more than what a column looks like."""

from __future__ import annotations

import re

# Each list in order of preference; compared in lower case without spaces, dots, hyphens and underscores.
TEXTS = (
    "text", "review", "reviewtext", "comment", "content", "sentence", "phrase", "statement", "tweet", "body",
    "message", "document", "article", "question", "description", "评论", "评论内容", "内容", "文本", "正文",
)  # fmt: skip
LABELS = (
    "label", "sentiment", "star", "stars", "rating", "score", "class", "target", "emotion", "category",
    "polarity", "overall", "grade", "topic", "intent", "标签", "评分", "星级", "情感", "类别", "分类",
)  # fmt: skip
RATINGS = ("star", "stars", "rating", "score", "overall", "grade", "评分", "星级", "sentiment")
GROUPS = (
    "sentenceid", "movienamecn", "movie", "moviename", "movienameen", "movietitle", "movieid", "film",
    "product", "productid", "productname", "item", "itemid", "asin", "book", "hotel", "restaurant",
    "business", "businessid", "shop", "brand", "author", "user", "userid", "username", "cat", "电影",
    "电影名", "商品", "店铺", "用户",
)  # fmt: skip
SPLITS = ("split", "part", "partition", "set", "subset", "fold", "datasplit")
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "dev": "validation", "valid": "validation", "val": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
PAIRS = (
    ("title", "text"), ("title", "body"), ("title", "content"), ("title", "article"), ("headline", "body"),
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("标题", "内容"),
    ("标题", "正文"), ("summary", "text"),
)  # fmt: skip

_SIGNS = re.compile(r"[\s_.\-]+")


def bare(name: str) -> str:
    """A name as it is compared.

    >>> bare("Movie_Name CN")
    'movienamecn'
    """
    return _SIGNS.sub("", name.strip().lower())


KNOWN = frozenset({*TEXTS, *LABELS, *GROUPS, *SPLITS, *(name for pair in PAIRS for name in pair), "id"})
