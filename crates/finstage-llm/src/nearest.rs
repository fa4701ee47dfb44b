//! "Did you mean": what a misspelt name is nearest to.

/// How like two names must be for one to be meant by the other, from 0 to 1.
const LIKE: f64 = 0.8;

/// The known name that is most like `name`, where one is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |known: &'a str| (strsim::jaro_winkler(name, known), known);
    known
        .into_iter()
        .map(alike)
        .filter(|(like, _)| *like >= LIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
