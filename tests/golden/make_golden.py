"""Write the golden data of preprocessing and tokens; run after a deliberate change only.

The reference resizes the whole picture, then cuts, in the plainest way: what published
preprocessors do, and slower than what the program does.
"""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, WordPieceTrainer

HERE = Path(__file__).parent
SIDE = 16
SIZES = [
    (31, 47), (47, 31), (33, 33), (64, 41), (41, 64), (100, 75), (127, 90), (90, 131),
    (16, 16), (16, 17), (17, 16), (5, 7), (7, 5), (1, 1), (1, 40), (40, 1), (3, 200), (301, 9),
    (41, 49), (49, 41), (40, 43),
]
RULES = [
    ("squash", "", "bicubic"), ("squash", "", "bilinear"),
    ("shortest", "half_even", "bicubic"), ("shortest", "floor", "bicubic"),
    ("shortest", "truncate", "bilinear"),
    ("crop", "half_even", "bicubic"), ("crop", "floor", "lanczos"), ("crop", "truncate", "bicubic"),
]
CORPUS = [
    "a photo of a dog on the beach", "two dogs running over green grass",
    "a red car parked in front of a house", "the picture shows a beach at night",
]
TEXTS = [
    "a dog on the beach", "A DOG", "", "  spaces   and\ttabs ", "naïve café", "狗", "🐕",
    "word " * 40, "unknownish, punctuation!", "a photo of a red car parked in front of the house",
]


def picture(width, height):
    """Return the generated picture of a size: a slope with noise, uint8 (height, width, 3)."""
    random = np.random.default_rng(1000 * width + height)
    slope = np.add.outer(np.arange(height) / height, np.arange(width) / width) * 100
    noise = random.integers(0, 56, (height, width, 3))
    return (slope[:, :, None] + noise).astype(np.uint8)


def offset(length, rule):
    half = Fraction(length - SIDE, 2)
    if rule == "half_even":
        return round(half)
    return int(half) if rule == "truncate" else half.__floor__()


def reference(pixels, resize, rounding, interpolation):
    filters = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR, "lanczos": Image.LANCZOS}
    image, chosen = Image.fromarray(pixels), filters[interpolation]
    width, height = image.size
    if resize == "squash":
        return np.asarray(image.resize((SIDE, SIDE), chosen))
    if resize == "crop":
        side = min(width, height)
        spare_x, spare_y = Fraction(width - side, 2), Fraction(height - side, 2)
        rule = {"half_even": round, "floor": lambda x: x.__floor__(), "truncate": int}[rounding]
        left, top = rule(spare_x), rule(spare_y)
        cut = image.crop((left, top, left + side, top + side))
        return np.asarray(cut.resize((SIDE, SIDE), chosen))
    short, long = min(width, height), max(width, height)
    new_long = int(SIDE * long / short)
    size = (SIDE, new_long) if width <= height else (new_long, SIDE)
    whole = np.asarray(image.resize(size, chosen))
    left, top = offset(size[0], rounding), offset(size[1], rounding)
    return whole[top : top + SIDE, left : left + SIDE]


def clip_like():
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<|startoftext|>", "<|endoftext|>"]
    trainer = BpeTrainer(
        vocab_size=420, special_tokens=special, end_of_word_suffix="</w>", show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    numbers = [(name, tokenizer.token_to_id(name)) for name in special]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=numbers
    )
    return tokenizer


def bert_like():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    numbers = [(name, tokenizer.token_to_id(name)) for name in special]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=numbers
    )
    return tokenizer


def gemma_like():
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    fallback = [f"<0x{number:02X}>" for number in range(256)]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trainer = BpeTrainer(vocab_size=400, special_tokens=special + fallback, show_progress=False)
    trained.train_from_iterator(CORPUS, trainer)
    trained.decoder = decoders.Replace("▁", " ")
    trained.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", trained.token_to_id("<eos>"))]
    )
    trained.enable_padding(length=64, pad_id=0, pad_token="<pad>")
    return trained


def main():
    squares = {
        f"{resize}-{rounding}-{interpolation}-{width}x{height}": reference(
            picture(width, height), resize, rounding, interpolation
        )
        for resize, rounding, interpolation in RULES
        for width, height in SIZES
    }
    np.savez_compressed(HERE / "preprocess.npz", **squares)
    tokens = {}
    for name, tokenizer in [
        ("clip", clip_like()), ("bert", bert_like()), ("gemma", gemma_like())
    ]:
        (HERE / f"tokenizer-{name}.json").write_text(tokenizer.to_str(), encoding="utf-8")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokens[name] = {
            text: tokenizer.encode(text.lower() if name == "gemma" else text).ids
            for text in TEXTS
        }
    (HERE / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
