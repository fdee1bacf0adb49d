"""Label ids, the same in every task of the suite (PROTOCOL 2), with names and display colours."""

BACKGROUND, CYTOPLASM, VACUOLE, DROPLET = 0, 1, 2, 3
NUCLEUS, NUCLEOLUS, MITOCHONDRION, ENDOPLASMIC_RETICULUM, ENDOSOME = 4, 5, 6, 7, 8
BACTERIUM, GLASS = 9, 10
FIDUCIAL, UNLABELLED = 11, 255

NAMES = {
    0: "background",
    1: "cytoplasm",
    2: "vacuole",
    3: "lipid droplet",
    4: "nucleus",
    5: "nucleolus",
    6: "mitochondrion",
    7: "endoplasmic reticulum",
    8: "endosome/lysosome",
    9: "bacterium",
    10: "glass",
    11: "fiducial",
    255: "unlabelled",
}

# Readable for colour-blind eyes (Okabe & Ito) and on dark and light pages.
COLOURS = {
    0: "#16181d",
    1: "#0072b2",
    2: "#56b4e9",
    3: "#f0a000",
    4: "#009e73",
    5: "#005c43",
    6: "#cc79a7",
    7: "#8da0b0",
    8: "#d55e00",
    9: "#4c9f38",
    10: "#777777",
    11: "#f5e642",
    255: "#b0b0b0",
}
