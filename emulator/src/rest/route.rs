//! Tables of routes: which calls there are, what right each needs, and what answers it.

use hyper::Method;

use super::call::Call;
use crate::security::access::Right;

/// One call that a service knows.
pub(super) struct Route<H> {
    method: Method,
    /// Words between slashes; one in braces stands for any.
    pattern: &'static str,
    pub right: Right,
    /// Azure's calls name the version of the API that is meant; additions of ours have none.
    pub is_versioned: bool,
    pub handler: H,
}

impl<H> Route<H> {
    /// A call that Azure has.
    pub(super) const fn azure(method: Method, pattern: &'static str, right: Right, handler: H) -> Self {
        Self { method, pattern, right, is_versioned: true, handler }
    }

    /// An addition of ours.
    pub(super) const fn ours(method: Method, pattern: &'static str, right: Right, handler: H) -> Self {
        Self { method, pattern, right, is_versioned: false, handler }
    }

    fn is_meant_by(&self, call: &Call) -> bool {
        self.method == call.method
            && self.pattern.split('/').count() == call.segments.len()
            && begins(self.pattern, call)
    }

    fn shares_first_word(&self, call: &Call) -> bool {
        let first = self.pattern.split('/').next().unwrap_or_default();
        call.first_word().eq_ignore_ascii_case(first)
    }
}

/// The first route that the call means.
pub(super) fn find<'r, H>(routes: &'r [Route<H>], call: &Call) -> Option<&'r Route<H>> {
    routes.iter().find(|route| route.is_meant_by(call))
}

/// Whether some route begins as the call does.
pub(super) fn knows<H>(routes: &[Route<H>], call: &Call) -> bool {
    routes.iter().any(|route| route.shares_first_word(call))
}

/// Whether the call begins as additions of ours do, and nothing of Azure's.
pub(super) fn is_ours<H>(routes: &[Route<H>], call: &Call) -> bool {
    let mut sharing = routes.iter().filter(|route| route.shares_first_word(call)).peekable();
    sharing.peek().is_some() && sharing.all(|route| !route.is_versioned)
}

/// Whether the path begins with this pattern. Azure does not care about case.
pub(super) fn begins(pattern: &str, call: &Call) -> bool {
    let words: Vec<&str> = pattern.split('/').collect();
    words.len() <= call.segments.len()
        && words
            .iter()
            .zip(&call.segments)
            .all(|(word, segment)| word.starts_with('{') || word.eq_ignore_ascii_case(segment))
}

#[cfg(test)]
mod tests {
    use hyper::{Request, body::Bytes};

    use super::*;

    const ROUTES: [Route<u8>; 3] = [
        Route::azure(Method::GET, "devices/{id}", Right::RegistryRead, 1),
        Route::azure(Method::POST, "devices/query", Right::ServiceConnect, 2),
        Route::ours(Method::GET, "telemetry", Right::ServiceConnect, 3),
    ];

    fn call(method: Method, path: &str) -> Call {
        let request = Request::builder().method(method).uri(path).body(()).expect("a request");
        Call::new(request.into_parts().0, Bytes::new())
    }

    #[test]
    fn a_route_is_found_by_method_and_path_whatever_the_case_and_the_slash_at_the_end() {
        let found = |method, path| find(&ROUTES, &call(method, path)).map(|route| route.handler);
        assert_eq!(found(Method::GET, "/Devices/a%2Fb/"), Some(1));
        assert_eq!(found(Method::POST, "/devices/QUERY?x=1"), Some(2));
        assert_eq!(found(Method::POST, "/devices/other"), None);
        assert_eq!(found(Method::GET, "/devices"), None);
        assert_eq!(found(Method::GET, "/devices/a/b"), None);
    }

    #[test]
    fn the_table_knows_its_own_paths_and_which_of_them_are_ours() {
        assert!(knows(&ROUTES, &call(Method::PUT, "/DEVICES/x/y/z")));
        assert!(!knows(&ROUTES, &call(Method::GET, "/")));
        assert!(is_ours(&ROUTES, &call(Method::PUT, "/telemetry/x")));
        assert!(!is_ours(&ROUTES, &call(Method::PUT, "/devices")));
        assert!(!is_ours(&ROUTES, &call(Method::PUT, "/elsewhere")));
    }
}
