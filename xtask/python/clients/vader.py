"""vaderSentiment says of our sentences what the test of our lexicon expects."""
import pathlib

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

root = pathlib.Path(__file__).resolve().parents[3]
golden = root / "crates/finstage-feeds/src/news/lexicon/golden.tsv"
analyzer = SentimentIntensityAnalyzer()
lines = golden.read_text(encoding="utf-8").splitlines()
for line in lines:
    text, *expected = line.split("\t")
    said = analyzer.polarity_scores(text)
    said = [said[key] for key in ("compound", "pos", "neu", "neg")]
    assert said == [float(cell) for cell in expected], (text, said, expected)
assert len(lines) > 30
print(f"ok vader: {len(lines)} sentences")
