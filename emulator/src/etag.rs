//! Entity tags: under which condition a stored resource may be changed.

/// When a change is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whatever is stored.
    Any,
    /// Only if the stored resource has this entity tag.
    ETag(String),
}

impl IfMatch {
    /// Whether a resource with this entity tag may be changed; one that has none may by [`IfMatch::Any`] alone.
    pub(crate) fn admits(&self, stored: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::ETag(etag) => stored == Some(etag.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_admits_its_own_tag_and_no_other() {
        let condition = IfMatch::ETag("\"1\"".into());
        assert!(condition.admits(Some("\"1\"")));
        assert!(!condition.admits(Some("\"2\"")));
        assert!(!condition.admits(None));
        assert!(IfMatch::Any.admits(None) && IfMatch::Any.admits(Some("\"2\"")));
    }
}
