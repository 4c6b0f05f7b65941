"""The words that worlds are drawn from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One category of support mail: the spellings its label may have, and how customers put it."""

    labels: tuple[str, ...]
    issues: tuple[str, ...]


TOPICS = (
    Topic(
        ("billing", "payments", "invoicing"),
        (
            "I was charged twice this month",
            "the invoice shows the wrong amount",
            "money was taken before the trial ended",
            "my refund has not come",
        ),
    ),
    Topic(
        ("shipping", "delivery", "logistics"),
        (
            "my parcel has not arrived",
            "the courier left the box at the wrong door",
            "the delivery date moved again",
            "tracking has said pending for a week",
        ),
    ),
    Topic(
        ("account-access", "login", "sign-in"),
        (
            "I cannot log in",
            "the password mail never comes",
            "my account is locked",
            "the second factor code is refused",
        ),
    ),
    Topic(
        ("product-defect", "damage", "quality"),
        (
            "the zip broke on the first day",
            "the screen has a crack",
            "the fabric smells of paint",
            "one leg is shorter than the others",
        ),
    ),
    Topic(
        ("cancellation", "churn", "termination"),
        (
            "I want to end my subscription",
            "please close my plan",
            "do not renew my membership",
            "I would like to stop the yearly plan",
        ),
    ),
    Topic(
        ("bug", "technical", "malfunction"),
        (
            "the app crashes when I open a photo",
            "the export hangs at ninety percent",
            "sync fails with a red icon",
            "the page stays white",
        ),
    ),
    Topic(
        ("sales", "quote", "pre-sales"),
        (
            "I need a price for fifty seats",
            "I want to see a demo for my team",
            "I wonder whether there is a student rate",
            "I would like to know which plan includes phone support",
        ),
    ),
    Topic(
        ("privacy", "data-request", "gdpr"),
        (
            "please delete all data about me",
            "I want to know who can see my address",
            "send me a copy of what you store about me",
            "I never agreed to the newsletter",
        ),
    ),
    Topic(
        ("feedback", "suggestion", "ideas"),
        (
            "the new layout is lovely",
            "your team was a great help",
            "the packaging could use less plastic",
            "I wish the app had a dark theme",
        ),
    ),
)

FIRST_NAMES = ("Maria", "Jonas", "Aisha", "Wei", "Olga", "Samuel", "Priya", "Lucas", "Hana", "Diego", "Ingrid", "Kofi")
LAST_NAMES = ("Lopez", "Berg", "Khan", "Chen", "Petrova", "Mensah", "Nair", "Moreau", "Sato", "Silva", "Dahl", "Novak")
GOODS = (
    "desk lamps", "office chairs", "notebooks", "headsets", "whiteboards", "monitors", "footrests", "keyboards",
    "paper trays", "cable sets", "wall clocks", "filing boxes",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
BUILDINGS = ("Nord", "Sud", "Harbour", "Garden", "Tower", "Mill")
PRODUCTS = (
    "Aurora kettle", "Boreal heater", "Cirrus fan", "Delta mixer", "Ember grill", "Fjord cooler", "Glade toaster",
    "Halo lamp", "Iris scale", "Juno blender",
)  # fmt: skip
KINDS = {
    "metal": ("copper", "zinc", "tin", "nickel"),
    "river": ("Danube", "Loire", "Vistula", "Tagus"),
    "planet": ("Mars", "Venus", "Saturn", "Neptune"),
    "bird": ("heron", "finch", "kestrel", "wren"),
    "instrument": ("oboe", "cello", "bassoon", "lute"),
    "composer": ("Haydn", "Ravel", "Purcell", "Grieg"),
}
