"""lines.py - 2,500 hard but valid lines of text, 100 of each kind, for comparing WordPiece tokenizers.

    python3 tests/peers/lines.py VOCAB OUT        a line for each; lines.kinds() says which kind line n is of

Every line is valid UTF-8 without NUL, LF and CR, so that it can be given to any program through a file. The words around the
hard part are pieces of the vocabulary: a line is text with one kind of difficulty, not noise. The generator is seeded: the same
vocabulary gives the same lines.
"""
import random
import sys

EACH = 100
SEED = 16

SAMPLES = {
    "accents": "café naïve résumé Zürich Ångström São señor garçon Dvořák İzmir fiancée Škoda Łódź Đà Nẵng crème brûlée ÉCOLE ÑANDÚ Ệ ǖ ṩ",
    "greek, cyrillic": "λόγος ΟΔΥΣΣΕΎΣ ΣΊΣΥΦΟΣ Σ ςσ Άγιος ΐ ΰ москва ЙОД ёлка Ё київ Їжак њ Ѕ ѣ",
    "special casing": "İstanbul ISTANBUL ı DİYARBAKIR ẞ STRASSE straße Straße ǅ ǆ Ǆ ŉ ǰ ﬁsh ﬂow Ⅷ ⅷ Ⓐ ⓐ K Å Ω",
    "hebrew, arabic": "שָׁלוֹם שלום עִבְרִית بِسْمِ اللَّهِ مَرْحَبًا العربية ٱلرَّحْمَٰنِ ـــ لا ٣٫١٤ فارسی پ ۇ بّ",
    "south, southeast asia": "हिन्दी नमस्ते क्षत्रिय ज़ क़ বাংলা কো தமிழ் கொ తెలుగు ಕನ್ನಡ മലയാളം ਪੰਜਾਬੀ ગુજરાતી සිංහල ॐ । ॥ ภาษาไทย น้ำ เก่ง ກຳ ພາສາລາວ ខ្មែរ ភាសា བོད་སྐད་ ཀྵ གྷ མྱ မြန်မာ",
    "kana, hangul": "ひらがな カタカナ ガギグ パピプ がぎ ー ゝ 々 〆 ｶﾞｷﾞ 한국어 각 가 닭 한글 ᄀ ᄒ",
    "ideographs": "中文 漢字 日本語 東京 㐀 䶵 豈 更 𠀀 𪛖 𪜀 𫝀 𫠠 𬺡 〇 𠮷野家 中a文 abc中文def",
    "emoji": "😀 👍🏽 👩‍💻 👨‍👩‍👧‍👦 ❤️ ☺ ☺️ 1️⃣ #️⃣ 🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ✈️ 🥰 🫠 🪿 ©️ ™",
    "ascii marks": "don't can't $5 5$ a_b e-mail @user #tag 3.14 1,000 50% C++ a+b=c x^2 ~home a|b <b> {x} [y] `code` \\n http://a.bc/d?e=f&g O'Neil's ... -- !? :-) 12:30",
    "unicode marks": "“quoted” ‘a’ a—b a–b … ‽ «a» „b“ ¿qué? ¡no! § ¶ † ‡ • ‰ ′ ″ ‹x› ⁂ 、 。 「a」 ！ ？ （a） ・ ՛ ؟ ، ।",
    "symbols": "5€ €5 £3 ¥ ¢ 20°C № × ÷ ± − ≠ ≤ ≥ ≈ ∑ √ ∞ → ⇒ ■ ★ ♥ © ® ™ ª º ¹ ² ³ ½ ¼ ´ ¨ ¸ ¬ ¦ a×b x≠y ＋ ＄ ｜",
    "compatibility": "ﬁne ﬀ ﬃ Ｆｕｌｌ １２３ ⅰⅱ ㎏ ㈱ ① ½ x² H₂O ℃ ℌ 𝐁𝐨𝐥𝐝 𝕏 𝔉 𝟙𝟚 ſtop ʰ ﷺ ㍿ ａｂｃ",
    "newer than Unicode 8": "⹃ ⹀ ⸻ ᲐᲑ აბ 𞤀𞤢 𞥊 𐒰𐓘 Ꞹ Ɬ Ʝ 𝼀 ᷻ ࣔ ૺ ꣅ 𑙠 𑱠 𐵐 🦀 🤖 🫶 ₿ ⃀ ℼ ꟲ ꭨ ⯿",
    "unknown letters": "ᚠ helloᚢ ᏣᎳᎩ ꆈꌠ ⵜⵉⴼ 𐌰 𓀀 ⠓ ߒ a𐤀b theᚠ ᚠthe playingᚠ 𝄞 ☉ ⚗ x𓂀y un𐎀able",
}
MARKS = [0x300, 0x301, 0x302, 0x303, 0x308, 0x30A, 0x323, 0x327, 0x328, 0x331, 0x338, 0x345, 0x36F, 0x483, 0x489, 0x591, 0x5B0, 0x64B, 0x670, 0x93C,
         0x94D, 0x93F, 0xE31, 0x1DC4, 0x1DFB, 0x20D0, 0x20DD, 0x20E3, 0x3099, 0x309A, 0xFE20, 0x1E94A]
CONTROLS = [c for c in (*range(1, 0x20), *range(0x7F, 0xA0)) if c not in (0x0A, 0x0D, 9, 0x0B, 0x0C, 0x85)]
FORMATS = [0xAD, 0x600, 0x61C, 0x6DD, 0x70F, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x202A, 0x202C, 0x202E, 0x2060, 0x2061, 0x2066, 0x2069, 0xFEFF,
           0xFFF9, 0xE0001, 0xE0041, 0x110BD]
WHITE = [9, 0x0B, 0x0C, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2003, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
PRIVATE = [0xE000, 0xE123, 0xF8FF, 0xF0000, 0x10FFFD, 0xFFFD, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0x378, 0x2FE0, 0x40000, 0xE0080]
SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]"]
LIKE_SPECIAL = ["[mask]", "[Mask]", "[MASK", "MASK]", "[ MASK ]", "[[MASK]]", "[unused1]", "[CLS", "<mask>", "[sep]"]


class Lines:
    def __init__(self, pieces):
        self.r = random.Random(SEED)
        self.words = [p for p in pieces if p.isascii() and p.isalpha() and len(p) > 1]
        self.tails = [p[2:] for p in pieces if p.startswith("##") and p[2:].isascii() and p[2:].isalpha()]

    def word(self):
        w = self.r.choice(self.words) + (self.r.choice(self.tails) if self.r.random() < 0.3 else "")
        return self.r.choice([w, w, w, w.capitalize(), w.upper()])

    def around(self, hard):
        """The hard parts in turn with words, sometimes glued to them."""
        out = ""
        for part in hard:
            out += self.r.choice(["", "", self.word(), self.word() + " " + self.word()])
            out += self.r.choice([" ", " ", ""]) + part + self.r.choice([" ", " ", ""])
        return out + self.r.choice(["", self.word(), ".", " " + self.word() + "."])

    def sample(self, kind):
        return self.around(self.r.choices(SAMPLES[kind].split(), k=self.r.randrange(2, 6)))

    def words_only(self):
        return " ".join(self.word() for _ in range(self.r.randrange(3, 20))) + self.r.choice([".", "?", "!", ""])

    def inside(self, points):
        """The character within a word, at its end, or alone."""
        w, c = self.word(), chr(self.r.choice(points))
        at = self.r.randrange(len(w) + 1)
        return self.r.choice([w[:at] + c + w[at:], w + c, c + w, c, w + " " + c + " " + w])

    def scattered(self, points):
        return " ".join(self.inside(points) if self.r.random() < 0.5 else self.word() for _ in range(self.r.randrange(3, 9)))

    def combining(self):
        stack = lambda: "".join(chr(self.r.choice(MARKS)) for _ in range(self.r.choice([1, 1, 2, 3])))
        letters = lambda: self.r.choice("aeiounscAEO") + stack()
        return self.around([self.r.choice([letters(), self.word() + stack(), letters() + self.word(), stack()]) for _ in range(self.r.randrange(2, 5))])

    def long_word(self):
        n = self.r.choice([50, 98, 99, 100, 101, 102, 150, 199, 200, 201, 202, 300, 512])
        letters = self.r.choice(["a", "ab", "the", "xyz", "1", self.word().lower()])
        return self.around([(letters * n)[:n]])

    def long_accented(self):
        n = self.r.choice([33, 49, 50, 51, 99, 100, 101, 102, 199, 200, 201])
        return self.around([self.r.choice(["é", "e\u0301", "ṩ", "각", "ö", "aé"]) * n])

    def special(self):
        return self.around([self.r.choice(SPECIAL) for _ in range(self.r.randrange(1, 4))])

    def like_special(self):
        hard = LIKE_SPECIAL + ["##" + self.r.choice(self.tails), "##", "#", "##" + self.word(), "[", "]"]
        return self.around([self.r.choice(hard) for _ in range(self.r.randrange(1, 4))])

    def mixed(self):
        return " ".join(self.one(self.r.choice(KINDS[:-1]))[:40] for _ in range(3))

    def one(self, kind):
        if kind in SAMPLES:
            return self.sample(kind)
        return {"plain": self.words_only, "combining marks": self.combining, "long words": self.long_word, "long words with marks": self.long_accented,
                "special tokens": self.special, "nearly special": self.like_special, "controls": lambda: self.scattered(CONTROLS),
                "format characters": lambda: self.scattered(FORMATS), "white space": lambda: self.scattered(WHITE),
                "private, unassigned": lambda: self.scattered(PRIVATE), "mixed": self.mixed}[kind]()


KINDS = ["plain", *SAMPLES, "combining marks", "long words", "long words with marks", "special tokens", "nearly special", "controls", "format characters",
         "white space", "private, unassigned", "mixed"]


def lines(vocab):
    """The lines, and the kind of each."""
    with open(vocab, encoding="utf-8", newline="\n") as f:
        make = Lines(f.read().split("\n")[:-1])
    texts, kinds = [], []
    for kind in KINDS:
        for _ in range(EACH):
            texts.append(make.one(kind).strip(" ").replace("\n", " ").replace("\r", " ").replace("\0", " ") or "a")
            kinds.append(kind)
    return texts, kinds


if __name__ == "__main__":
    texts, _ = lines(sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8", newline="\n") as out:
        out.write("".join(t + "\n" for t in texts))
    print(f"{len(texts)} lines, {len(KINDS)} kinds")
