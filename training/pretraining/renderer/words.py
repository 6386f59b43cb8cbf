"""The vocabulary of prompts: what the attributes of a scene may be called.

The first wording of a list is the usual one. Framings and views stand as in
`configs/presets/shot_types.yaml`, people as `serve_app.core.phrases` describes them.
"""

from __future__ import annotations

from typing import Final

GARMENTS: Final[dict[str, tuple[str, ...]]] = {
    "t-shirt": ("t-shirt", "tee", "tshirt", "t shirt", "crew neck t-shirt", "short sleeve t-shirt"),
    "tank top": ("tank top", "vest top", "sleeveless top", "camisole", "tank"),
    "shirt": ("shirt", "button-up shirt", "blouse", "buttoned shirt", "button-down shirt"),
    "sweater": ("sweater", "jumper", "pullover", "knit sweater", "turtleneck sweater", "knitwear"),
    "hoodie": ("hoodie", "hooded sweatshirt", "hooded sweater", "hoody"),
    "jacket": ("jacket", "blazer", "suit jacket", "tailored jacket"),
    "coat": ("coat", "overcoat", "long coat", "trench coat", "winter coat"),
    "dress": ("dress", "sundress", "summer dress", "midi dress", "gown"),
    "jumpsuit": ("jumpsuit", "overall", "one-piece", "playsuit"),
    "skirt": ("skirt", "pleated skirt", "a-line skirt", "midi skirt"),
    "jeans": ("jeans", "denim jeans", "skinny jeans", "denim"),
    "trousers": ("trousers", "pants", "wide trousers", "wide-leg pants", "slacks"),
    "shorts": ("shorts", "short pants", "bermuda shorts"),
    "sneakers": ("sneakers", "trainers", "running shoes", "sneaker shoes"),
    "boots": ("boots", "high boots", "leather boots", "knee boots"),
    "heels": ("heels", "high heels", "pumps", "high-heeled shoes"),
    "handbag": ("handbag", "bag", "purse", "leather handbag", "hand bag"),
}
PLURALS: Final = frozenset({"jeans", "trousers", "shorts", "sneakers", "boots", "heels"})

COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "black": ("black", "jet black"),
    "white": ("white", "off-white"),
    "grey": ("grey", "gray"),
    "red": ("red", "bright red", "scarlet"),
    "orange": ("orange", "bright orange"),
    "yellow": ("yellow", "bright yellow", "mustard yellow"),
    "green": ("green", "emerald green"),
    "light blue": ("light blue", "sky blue", "pale blue"),
    "blue": ("blue", "royal blue", "bright blue"),
    "navy": ("navy", "navy blue", "dark blue"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rose", "rose pink"),
    "brown": ("brown", "chocolate brown"),
    "beige": ("beige", "sand", "cream"),
}

PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("", "plain", "solid"),
    "striped": ("striped", "stripy", "horizontally striped"),
    "dotted": ("dotted", "polka dot", "spotted"),
    "checked": ("checked", "checkered", "plaid", "gingham"),
    "floral": ("floral", "flowery", "flower print", "floral print"),
    "colour-blocked": ("colour-blocked", "color-blocked", "colour block", "color block"),
}
MATERIALS: Final = ("cotton", "linen", "wool", "viscose", "denim", "leather", "silk", "polyester")
PRODUCT: Final = ("the product", "product", "the garment", "this item", "the clothes", "the outfit")

PEOPLE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("woman", "adult"): ("woman", "young woman", "female model", "female fashion model",
                         "middle-aged woman", "teenage woman", "lady"),
    ("man", "adult"): ("man", "young man", "male model", "male fashion model", "middle-aged man",
                       "teenage man"),
    ("woman", "child"): ("girl", "little girl", "young girl", "female child"),
    ("man", "child"): ("boy", "little boy", "young boy", "male child"),
    ("woman", "elderly"): ("elderly woman", "old woman", "senior woman", "older woman"),
    ("man", "elderly"): ("elderly man", "old man", "senior man", "older man"),
}  # fmt: skip
ANYONE: Final[dict[str, tuple[str, ...]]] = {
    "adult": (
        "fashion model",
        "model",
        "person",
        "professional model",
        "young person",
        "middle-aged person",
        "teenage person",
    ),
    "child": ("child", "kid", "child model"),
    "elderly": ("elderly person", "senior model", "older person"),
}
SKIN: Final[dict[str, tuple[str, ...]]] = {
    "pale": ("pale skin", "very light skin", "porcelain skin"),
    "fair": ("fair skin", "light skin"),
    "olive": ("olive skin", "medium skin"),
    "tan": ("tan skin", "tanned skin"),
    "brown": ("brown skin", "medium brown skin"),
    "dark": ("dark skin", "black skin", "deep skin", "very dark skin"),
}
#: "{}" is the hair's colour.
HAIR: Final[dict[str, tuple[str, ...]]] = {
    "short": ("short {} hair", "{} short hair", "cropped {} hair"),
    "bob": ("{} bob hair", "{} bob", "chin-length {} hair", "a {} bob haircut"),
    "long": ("long {} hair", "long straight {} hair", "straight {} hair"),
    "wavy": ("wavy {} hair", "shoulder-length wavy {} hair", "{} wavy hair"),
    "curly": ("curly {} hair", "{} curls", "{} afro hair", "{} curly hair"),
    "ponytail": ("{} ponytail hair", "a {} ponytail", "{} hair in a ponytail"),
    "bun": ("{} bun hair", "{} hair in a bun", "a {} bun", "{} hair tied up"),
    "braids": ("braided {} hair", "{} braids", "two {} braids", "{} hair in braids"),
}
HAIR_COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "black": ("black", "dark"),
    "brown": ("brown", "brunette"),
    "blonde": ("blonde", "blond"),
    "red": ("red", "ginger", "auburn"),
    "grey": ("grey", "gray"),
    "white": ("white", "silver white"),
}
#: What a picture of this size does not show, and a brand may say all the same.
EYES: Final = ("brown eyes", "blue eyes", "green eyes", "dark eyes", "grey eyes")
GLASSES: Final = ("glasses", "eyeglasses", "round glasses", "spectacles")
BODIES: Final[dict[str, tuple[str, ...]]] = {
    "slim": ("slim build", "slim body", "slender build", "thin build"),
    "average": ("average build", "regular build", "average body"),
    "athletic": ("athletic build", "athletic body", "muscular build"),
    "curvy": ("curvy build", "curvy body", "curvy figure"),
    "plus-size": ("plus-size build", "plus size body", "plus-size figure", "full figure"),
}

POSES: Final[dict[str, tuple[str, ...]]] = {
    "standing": ("standing", "standing straight", "standing pose"),
    "relaxed": ("relaxed pose", "relaxed", "casual pose"),
    "walking": ("walking", "walking pose", "in motion"),
    "hand on hip": ("hand on hip", "one hand on hip"),
    "hands on hips": ("hands on hips", "both hands on hips"),
    "waving": ("waving", "one arm raised", "arm raised"),
}
FRAMINGS: Final[dict[str, tuple[str, ...]]] = {
    "full body": ("full body", "full body shot", "full-length", "head to toe"),
    "upper body": ("upper body, waist up", "upper body", "upper body shot", "half body",
                   "waist up"),
    "lower body": ("lower body, waist down", "lower body", "lower body shot", "waist down"),
    "upper three quarters": ("three-quarter shot, head to mid-thigh", "upper three quarters",
                             "head to mid-thigh", "three-quarter shot"),
    "lower three quarters": ("three-quarter shot, mid-torso to feet", "lower three quarters",
                             "mid-torso to feet"),
    "detail": ("close-up of the garment's details", "detail", "detail shot", "close-up",
               "close-up of the product"),
}  # fmt: skip
VIEWS: Final[dict[str, tuple[str, ...]]] = {
    "front": ("front view", "from the front", "facing the camera", "front"),
    "back": ("back view, seen from behind", "back view", "seen from behind", "from the back"),
    "side": ("side view, in profile", "side view", "in profile", "from the side"),
}
BACKGROUNDS: Final[dict[str, tuple[str, ...]]] = {
    "white": ("white background", "pure white background", "plain white background",
              "clean white background"),
    "grey": ("grey studio background with a soft gradient", "grey background", "gray background",
             "grey studio background", "neutral grey background"),
    "beige": ("warm beige background, beige studio", "beige background", "beige studio",
              "warm beige background"),
    "blue": ("blue background", "blue studio", "blue studio background"),
    "pink": ("pink background", "pink studio", "pastel pink background"),
    "park": ("park background, outdoors", "in a park", "park background", "outdoors, nature",
             "green park"),
    "street": ("street background, city street", "in the street", "street background",
               "city street", "urban street"),
    "beach": ("beach background, at the seaside", "on the beach", "beach background",
              "at the beach", "seaside"),
}  # fmt: skip
_OPEN: Final = ("natural light", "daylight", "natural lighting")
#: Keyed by lighting; "open" is soft light outdoors.
LIGHTS: Final[dict[str, tuple[str, ...]]] = {
    "soft": ("soft studio lighting", "studio lighting", "soft lighting", "even lighting"),
    "open": _OPEN,
    "hard": ("hard light", "hard lighting", "direct flash", "strong shadows", "harsh light"),
    "warm": ("warm light", "warm lighting", "golden hour light", "warm tones"),
    "cool": ("cool light", "cool lighting", "cold light", "cool tones"),
}
#: What styles and guidelines of a brand add; it changes nothing in the pictures.
QUALITY: Final = (
    "high quality", "professional photography", "fashion photography", "sharp", "neutral",
    "highly detailed", "professional fashion photo", "4k", "editorial", "e-commerce photo",
    "fashion illustration", "clean", "elegant", "minimal", "catalog photo", "lookbook",
)  # fmt: skip
WEARING: Final = ("wearing", "wearing", "wearing", "in", "dressed in")
CARRYING: Final = ("wearing", "wearing", "with", "carrying", "holding")

NEGATIVE_PROMPTS: Final = (
    "blurry, distorted, low quality",
    "blurry, low quality",
    "low quality, bad anatomy",
    "distorted, deformed, ugly",
    "blurry",
    "blurry, distorted",
    "low quality, worst quality, watermark, text",
    "bad hands, extra limbs, deformed",
    "blurry, distorted, low quality, watermark",
)
