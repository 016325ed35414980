// The list is ours: words of four letters and more that are hard to mistake for one another when
// spoken or misspelt.
#include "trust/fingerprint.hpp"

#include <algorithm>

namespace shoal::trust {

namespace {

constexpr std::size_t kWords = 12;

}  // namespace

const std::array<std::string_view, 256> kFingerprintWords = {
    "acid",    "acorn",    "actor",    "agent",   "alarm",    "album",    "amber",    "anchor",
    "angel",   "ankle",    "apple",    "apron",   "arch",     "armor",    "arrow",    "atlas",
    "attic",   "autumn",   "axle",     "badge",   "bagel",    "bamboo",   "banjo",    "barrel",
    "basil",   "beacon",   "beetle",   "bench",   "berry",    "birch",    "bishop",   "blanket",
    "bonfire", "bottle",   "branch",   "brick",   "bucket",   "buffalo",  "bugle",    "burrow",
    "butter",  "cabin",    "cactus",   "camel",   "canyon",   "carpet",   "castle",   "cedar",
    "cellar",  "chapel",   "cherry",   "chimney", "circus",   "clarinet", "clover",   "cobalt",
    "coffee",  "comet",    "copper",   "coral",   "cotton",   "cousin",   "cradle",   "cricket",
    "crystal", "curtain",  "cyclone",  "daisy",   "dancer",   "delta",    "denim",    "desert",
    "diamond", "dinner",   "dolphin",  "donkey",  "dragon",   "drum",     "dune",     "eagle",
    "easel",   "echo",     "eclipse",  "elbow",   "elephant", "emerald",  "engine",   "envelope",
    "falcon",  "family",   "feather",  "fennel",  "fiddle",   "finger",   "flamingo", "flute",
    "forest",  "fossil",   "fountain", "fridge",  "frost",    "galaxy",   "garlic",   "gazelle",
    "giraffe", "glacier",  "goblet",   "gondola", "granite",  "grotto",   "guitar",   "gypsum",
    "hammer",  "harbor",   "hazel",    "hedge",   "helmet",   "hermit",   "hippo",    "honey",
    "horizon", "hotel",    "hunter",   "hyena",   "iceberg",  "igloo",    "indigo",   "insect",
    "island",  "ivory",    "jacket",   "jaguar",  "jasmine",  "jelly",    "jigsaw",   "jockey",
    "jungle",  "kayak",    "kernel",   "kettle",  "kitten",   "koala",    "ladder",   "lagoon",
    "lantern", "lavender", "lemon",    "lichen",  "lilac",    "lobster",  "lumber",   "lyric",
    "magnet",  "mango",    "maple",    "marble",  "meadow",   "melon",    "mermaid",  "milk",
    "mirror",  "mosaic",   "muffin",   "museum",  "napkin",   "nectar",   "needle",   "nickel",
    "noodle",  "novel",    "nutmeg",   "oasis",   "ocean",    "olive",    "omelet",   "onion",
    "opera",   "orange",   "orchid",   "otter",   "oyster",   "paddle",   "palace",   "panda",
    "parrot",  "peach",    "pebble",   "pelican", "pepper",   "piano",    "pigeon",   "pilot",
    "planet",  "plum",     "poem",     "pony",    "potato",   "prism",    "pumpkin",  "puppet",
    "puzzle",  "pyramid",  "quartz",   "quilt",   "rabbit",   "radish",   "raven",    "ribbon",
    "river",   "robin",    "rocket",   "rubber",  "saffron",  "salmon",   "sandal",   "scarf",
    "school",  "shadow",   "silver",   "siren",   "spider",   "spruce",   "squid",    "sugar",
    "summer",  "sunset",   "swan",     "table",   "teapot",   "temple",   "thunder",  "tiger",
    "timber",  "tomato",   "tractor",  "trumpet", "tulip",    "turtle",   "umbrella", "unicorn",
    "valley",  "vanilla",  "velvet",   "violin",  "volcano",  "waffle",   "walnut",   "whistle",
    "winter",  "wizard",   "wolf",     "yacht",   "yogurt",   "zebra",    "zenith",   "zipper",
};

std::string words_of(ByteView digest) {
  std::string out;
  for (auto byte : digest.first(std::min(kWords, digest.size()))) {
    if (!out.empty()) out += '-';
    out += kFingerprintWords[byte];
  }
  return out;
}

std::string fingerprint_words(const PublicKey& key) {
  auto id = from_hex(key_id(key));
  return id ? words_of(*id) : "";
}

}  // namespace shoal::trust
