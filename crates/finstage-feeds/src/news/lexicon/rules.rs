//! VADER's rules, step by step in the order of the reference, so that sums are the same.

use super::{Lexicon, Valence};

/// What a booster adds, a shout adds, and a negation multiplies by.
const BOOST: f64 = 0.293;
const SHOUT: f64 = 0.733;
const NEGATION: f64 = -0.74;

const PUNCTUATION: &[char] = &[
    '!', '"', '#', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', ':', ';', '<', '=',
    '>', '?', '@', '[', '\\', ']', '^', '_', '`', '{', '|', '}', '~',
];

const NEGATE: [&str; 59] = [
    "aint",
    "arent",
    "cannot",
    "cant",
    "couldnt",
    "darent",
    "didnt",
    "doesnt",
    "ain't",
    "aren't",
    "can't",
    "couldn't",
    "daren't",
    "didn't",
    "doesn't",
    "dont",
    "hadnt",
    "hasnt",
    "havent",
    "isnt",
    "mightnt",
    "mustnt",
    "neither",
    "don't",
    "hadn't",
    "hasn't",
    "haven't",
    "isn't",
    "mightn't",
    "mustn't",
    "neednt",
    "needn't",
    "never",
    "none",
    "nope",
    "nor",
    "not",
    "nothing",
    "nowhere",
    "oughtnt",
    "shant",
    "shouldnt",
    "uhuh",
    "wasnt",
    "werent",
    "oughtn't",
    "shan't",
    "shouldn't",
    "uh-uh",
    "wasn't",
    "weren't",
    "without",
    "wont",
    "wouldnt",
    "won't",
    "wouldn't",
    "rarely",
    "seldom",
    "despite",
];

const BOOSTERS: &str = " absolutely amazingly awfully completely considerable considerably decidedly deeply \
    effing enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously \
    flipping flippin frackin fracking fricking frickin frigging friggin fully fuckin fucking fuggin fugging \
    greatly hella highly hugely incredible incredibly intensely major majorly more most particularly purely \
    quite really remarkably so substantially thoroughly total totally tremendous tremendously uber \
    unbelievably unusually utter utterly very ";
const DAMPENERS: &str = " almost barely hardly kinda kindof kind-of less little marginal marginally \
    occasional occasionally partly scarce scarcely slight slightly somewhat sorta sortof sort-of ";
const DAMPENING_PAIRS: [&str; 3] = ["just enough", "kind of", "sort of"];

const SPECIAL: [(&str, f64); 9] = [
    ("the shit", 3.0),
    ("the bomb", 3.0),
    ("bad ass", 1.5),
    ("badass", 1.5),
    ("bus stop", 0.0),
    ("yeah right", -2.0),
    ("kiss of death", -1.5),
    ("to die for", 3.0),
    ("beating heart", 3.5),
];

/// The words of a text without the punctuation around them; what would be left with two characters
/// or fewer is taken for an emoticon and stays.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|token| {
        let bare = token.trim_matches(PUNCTUATION);
        if bare.chars().nth(2).is_some() { bare } else { token }
    })
}

pub(super) fn valence(lexicon: &Lexicon, text: &str) -> Valence {
    let text = spelled(lexicon, text);
    let text = text.trim();
    let said: Vec<&str> = words(text).collect();
    let lower: Vec<String> = said.iter().map(|word| word.to_lowercase()).collect();
    let shouts = said.iter().filter(|word| is_upper(word)).count();
    let scene =
        Scene { lexicon, said: &said, lower: &lower, differs: shouts > 0 && shouts < said.len() };
    let mut tones: Vec<f64> = (0..said.len()).map(|place| scene.tone(place)).collect();
    weigh_but(&lower, &mut tones);
    sum(&tones, text)
}

/// Signs as words.
fn spelled(lexicon: &Lexicon, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_space = true;
    for sign in text.chars() {
        if let Some(words) = lexicon.emoji.get(&sign) {
            if !after_space {
                out.push(' ');
            }
            out += words;
            after_space = false;
        } else {
            out.push(sign);
            after_space = sign == ' ';
        }
    }
    out
}

fn is_upper(word: &str) -> bool {
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

fn booster(word: &str) -> Option<f64> {
    let is_in = |list: &str| {
        let at = list.match_indices(word).any(|(at, _)| {
            list.as_bytes()[at - 1] == b' ' && list.as_bytes().get(at + word.len()) == Some(&b' ')
        });
        !word.is_empty() && !word.starts_with(' ') && at
    };
    if is_in(BOOSTERS) {
        Some(BOOST)
    } else if is_in(DAMPENERS) || DAMPENING_PAIRS.contains(&word) {
        Some(-BOOST)
    } else {
        None
    }
}

fn negates(word: &str) -> bool {
    NEGATE.contains(&word) || word.contains("n't")
}

/// The words of a text in two spellings.
struct Scene<'a> {
    lexicon: &'a Lexicon,
    said: &'a [&'a str],
    lower: &'a [String],
    /// Whether some words are shouted, and not all.
    differs: bool,
}

impl Scene<'_> {
    fn is_known(&self, place: usize) -> bool {
        self.lexicon.weight(&self.lower[place]).is_some()
    }

    fn at(&self, place: usize) -> &str {
        &self.lower[place]
    }

    /// The tone of a word among its neighbours.
    fn tone(&self, i: usize) -> f64 {
        let (word, count) = (self.at(i), self.said.len());
        let is_kind_of = i + 1 < count && word == "kind" && self.at(i + 1) == "of";
        if booster(word).is_some() || is_kind_of {
            return 0.0;
        }
        let Some(weight) = self.lexicon.weight(word) else { return 0.0 };
        let mut tone = weight;
        if word == "no" && i + 1 != count && self.is_known(i + 1) {
            tone = 0.0;
        }
        let is_no = |back: usize| i >= back && self.at(i - back) == "no";
        if is_no(1) || is_no(2) || (is_no(3) && ["or", "nor"].contains(&self.at(i - 1))) {
            tone = weight * NEGATION;
        }
        if self.differs && is_upper(self.said[i]) {
            tone += if tone > 0.0 { SHOUT } else { -SHOUT };
        }
        for back in 0..3 {
            if i > back && !self.is_known(i - (back + 1)) {
                let mut boost = self.boost(i - (back + 1), tone);
                if back == 1 && boost != 0.0 {
                    boost *= 0.95;
                }
                if back == 2 && boost != 0.0 {
                    boost *= 0.9;
                }
                tone += boost;
                tone = self.negated(tone, back, i);
                if back == 2 {
                    tone = self.idiom(tone, i);
                }
            }
        }
        self.least(tone, i)
    }

    fn boost(&self, place: usize, tone: f64) -> f64 {
        let Some(mut boost) = booster(self.at(place)) else { return 0.0 };
        if tone < 0.0 {
            boost *= -1.0;
        }
        if self.differs && is_upper(self.said[place]) {
            boost += if tone > 0.0 { SHOUT } else { -SHOUT };
        }
        boost
    }

    fn negated(&self, tone: f64, back: usize, i: usize) -> f64 {
        let is = |place: usize, words: &[&str]| words.contains(&self.at(place));
        let so = &["so", "this"];
        let negates = negates(self.at(i - (back + 1)));
        match back {
            1 if is(i - 2, &["never"]) && is(i - 1, so) => tone * 1.25,
            1 if is(i - 2, &["without"]) && is(i - 1, &["doubt"]) => tone,
            2 if (is(i - 3, &["never"]) && is(i - 2, so)) || is(i - 1, so) => tone * 1.25,
            2 if is(i - 3, &["without"]) && (is(i - 2, &["doubt"]) || is(i - 1, &["doubt"])) => {
                tone
            }
            _ if negates => tone * NEGATION,
            _ => tone,
        }
    }

    fn idiom(&self, mut tone: f64, i: usize) -> f64 {
        let joined = |from: usize, to: usize| self.lower[from..=to].join(" ");
        let special =
            |text: &str| SPECIAL.iter().find(|(idiom, _)| *idiom == text).map(|(_, tone)| *tone);
        let (two_one, three_two_one) = (joined(i - 2, i - 1), joined(i - 3, i - 1));
        let three_two = joined(i - 3, i - 2);
        let around = [&joined(i - 1, i), &joined(i - 2, i), &two_one, &three_two_one, &three_two];
        tone = around.iter().find_map(|text| special(text)).unwrap_or(tone);
        if i + 1 < self.said.len() {
            tone = special(&joined(i, i + 1)).unwrap_or(tone);
        }
        if i + 2 < self.said.len() {
            tone = special(&joined(i, i + 2)).unwrap_or(tone);
        }
        for text in [&three_two_one, &three_two, &two_one] {
            tone += booster(text).unwrap_or(0.0);
        }
        tone
    }

    fn least(&self, tone: f64, i: usize) -> f64 {
        let is_least = i > 0 && self.at(i - 1) == "least" && !self.is_known(i - 1);
        if !is_least || (i > 1 && ["at", "very"].contains(&self.at(i - 2))) {
            return tone;
        }
        tone * NEGATION
    }
}

/// What stands before a "but" counts half, what stands behind it half again as much. As in the reference
/// it is the first of equal tones that is weighed, as often as the tone is there.
fn weigh_but(lower: &[String], tones: &mut [f64]) {
    let Some(but) = lower.iter().position(|word| word == "but") else { return };
    for i in 0..tones.len() {
        let tone = tones[i];
        let Some(place) = tones.iter().position(|other| *other == tone) else { continue };
        if place < but {
            tones[place] = tone * 0.5;
        } else if place > but {
            tones[place] = tone * 1.5;
        }
    }
}

fn sum(tones: &[f64], text: &str) -> Valence {
    if tones.is_empty() {
        return Valence::default();
    }
    let emphasis = emphasis(text);
    let mut total: f64 = tones.iter().sum();
    if total > 0.0 {
        total += emphasis;
    } else if total < 0.0 {
        total -= emphasis;
    }
    let compound = (total / (total * total + 15.0).sqrt()).clamp(-1.0, 1.0);
    let (mut good, mut bad, mut neutral) = (0.0, 0.0, 0.0);
    for &tone in tones {
        if tone > 0.0 {
            good += tone + 1.0;
        } else if tone < 0.0 {
            bad += 1.0 - tone;
        } else {
            neutral += 1.0;
        }
    }
    if good > bad {
        good += emphasis;
    } else if good < bad {
        bad += emphasis;
    }
    let all = good + bad + neutral;
    Valence { compound, positive: good / all, neutral: neutral / all, negative: bad / all }
}

fn emphasis(text: &str) -> f64 {
    let count = |sign: char| text.chars().filter(|c| *c == sign).count();
    let marks = count('!').min(4) as f64 * 0.292;
    marks
        + match count('?') {
            0 | 1 => 0.0,
            questions @ (2 | 3) => questions as f64 * 0.18,
            _ => 0.96,
        }
}
