//! What a query selects, in its order.

/// The names that the rows of a query have, in the order of SELECT; empty for `*`, and for what is no query.
pub(super) fn selected(query: &str) -> Vec<String> {
    let words = query.trim_start();
    let Some(items) = words.get(..6).filter(|word| word.eq_ignore_ascii_case("select")).and(words.get(6..))
    else {
        return Vec::new();
    };
    if !items.starts_with(char::is_whitespace) {
        return Vec::new();
    }
    let mut names = vec![String::new()];
    let mut depth = 0_u32;
    for word in items.split_inclusive(|c: char| c.is_whitespace() || "(),".contains(c)) {
        if depth == 0 && word.trim().eq_ignore_ascii_case("from") {
            break;
        }
        match word.chars().next_back() {
            Some('(') => depth += 1,
            Some(')') => depth = depth.saturating_sub(1),
            Some(',') if depth == 0 => {
                if let Some(name) = names.last_mut() {
                    *name += word.trim_end_matches(',');
                }
                names.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(name) = names.last_mut() {
            *name += word;
        }
    }
    names.iter().map(|item| name(item)).filter(|name| name != "*").collect()
}

/// Behind AS, or the last part of the path.
fn name(item: &str) -> String {
    let mut words: Vec<&str> = item.split_whitespace().collect();
    if let [first, _, rest @ ..] = &words[..]
        && first.eq_ignore_ascii_case("top")
    {
        words = rest.to_vec();
    }
    let last = words.last().copied().unwrap_or_default();
    match words.len() {
        0 | 1 => last.rsplit('.').next().unwrap_or_default().to_owned(),
        _ => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_in_their_order() {
        let of = |query| selected(query).join(" ");
        assert_eq!(of("SELECT deviceId, tags.site , COUNT() AS n FROM devices"), "deviceId site n");
        assert_eq!(of("select top 5 a, avg(b.c) as mean\nfrom devices"), "a mean");
        assert_eq!(of("SELECT * FROM devices"), "");
        assert_eq!(of("nonsense"), "");
        assert_eq!(of("SELECTé"), "");
    }
}
