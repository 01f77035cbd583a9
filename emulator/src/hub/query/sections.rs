//! What of a twin a query looks at: nobody needs the whole of ten thousand twins to find those in one place.

use super::{
    super::{expression::Path, section::Depth},
    parser::{Column, Query},
};

/// Sections of a twin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::hub) struct Sections {
    pub tags: bool,
    pub desired: Depth,
    pub reported: Depth,
}

impl Sections {
    /// All there is.
    pub(in crate::hub) const WHOLE: Self = Self { tags: true, desired: Depth::Whole, reported: Depth::Whole };

    /// Those that a query reads: in its condition, its groups and, unless they are all, its columns.
    pub(super) fn of(query: &Query) -> Self {
        let mut sections = Self::default();
        for item in query.items.iter().flatten() {
            match &item.value {
                Column::Path(path) | Column::Aggregate(_, Some(path)) => sections.add(path),
                Column::Aggregate(_, None) => {}
            }
        }
        for path in &query.group_by {
            sections.add(path);
        }
        if let Some(condition) = &query.condition {
            condition.look_at_paths(&mut |path| sections.add(path));
        }
        sections
    }

    fn add(&mut self, path: &Path) {
        let mut names = path.iter().map(String::as_str);
        let Some(root) = names.next() else { return };
        if root.eq_ignore_ascii_case("tags") {
            self.tags = true;
        } else if root.eq_ignore_ascii_case("properties") {
            let section = names.next();
            let depth = match names.next() {
                None | Some("$metadata") => Depth::Whole,
                Some(_) => Depth::Values,
            };
            let (desired, reported) = match section {
                Some("desired") => (depth, Depth::Nothing),
                Some("reported") => (Depth::Nothing, depth),
                Some(_) => (Depth::Nothing, Depth::Nothing),
                None => (depth, depth),
            };
            self.desired = self.desired.max(desired);
            self.reported = self.reported.max(reported);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (bool, Depth, Depth) {
        let Sections { tags, desired, reported } = Sections::of(&Query::parse(text).expect("a query"));
        (tags, desired, reported)
    }

    #[test]
    fn what_a_query_reads_is_looked_at_and_no_more() {
        use Depth::{Nothing, Values, Whole};
        assert_eq!(of("SELECT * FROM devices"), (false, Nothing, Nothing));
        assert_eq!(of("SELECT deviceId, COUNT() FROM devices GROUP BY TAGS.site"), (true, Nothing, Nothing));
        assert_eq!(of("SELECT properties FROM devices"), (false, Whole, Whole));
        assert_eq!(of("SELECT d.properties.desired FROM devices d"), (false, Whole, Nothing));
        assert_eq!(
            of(
                "SELECT * FROM devices WHERE NOT is_defined(properties.reported.last) OR tags.a IN [properties.desired.b]"
            ),
            (true, Values, Values)
        );
        assert_eq!(
            of("SELECT MAX(properties.reported.x) FROM devices WHERE properties.reported.$metadata.x > 1"),
            (false, Nothing, Whole)
        );
    }
}
