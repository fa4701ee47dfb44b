use super::Evidence;
/// page
pub fn page(_evidence: &Evidence, _made_by: &str) -> String {
    String::new()
}
