//! Who is let in, and who is not.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode};

use super::{Answered, Desk, HOST};

const CHANGE: &str = r#"{"isPaused":true}"#;

fn without(mut request: Request<Body>, header: &str) -> Request<Body> {
    request.headers_mut().remove(header);
    request
}

fn with(mut request: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
    request
}

#[tokio::test]
async fn the_link_is_exchanged_for_a_cookie_and_leaves_the_address() {
    let desk = Desk::new(false);
    let open = |token: &str| {
        let request = Request::builder().uri(format!("/?token={token}")).header("host", HOST);
        request.header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap()
    };
    let answer = desk.ask(open(desk.guard.access.token())).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let session = with(desk.own(&Method::GET, "/api/session", ""), "cookie", pair);
    assert_eq!(desk.ask(session).await.status, StatusCode::OK);

    for wrong in ["", "x", &desk.guard.access.token()[1..]] {
        let answer = desk.ask(open(wrong)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(answer.header("set-cookie"), "");
    }
    let elsewhere = Request::builder().uri(format!("/api/session?token={}", desk.guard.access.token()));
    let elsewhere = elsewhere.header("host", HOST).body(Body::empty()).unwrap();
    assert_eq!(
        desk.ask(elsewhere).await.status,
        StatusCode::UNAUTHORIZED,
        "only the page's address takes it"
    );
}

#[tokio::test]
async fn without_the_cookie_nothing_is_shown() {
    let desk = Desk::new(false);
    for path in
        ["/", "/app.js", "/api/session", "/api/fleet", "/api/live", "/api/openapi.json", "/api/nothing"]
    {
        let stranger = without(desk.own(&Method::GET, path, ""), "cookie");
        let answer = desk.ask(stranger).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(
            String::from_utf8_lossy(&answer.body).contains("Open the link that the program printed"),
            "{path}"
        );
    }
    let change = without(desk.own(&Method::POST, "/api/time", CHANGE), "cookie");
    assert_eq!(desk.ask(change).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.backend.calls(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_leads_here_from_elsewhere_is_refused() {
    let desk = Desk::new(false);
    for good in [HOST, "localhost:8462", "LocalHost:8462", "[::1]:8462"] {
        let answer = desk.ask(with(desk.own(&Method::GET, "/api/session", ""), "host", good)).await;
        assert_eq!(answer.status, StatusCode::OK, "{good}");
    }
    for bad in
        ["evil.example:8462", "127.0.0.1", "127.0.0.1:8463", "127.0.0.1:8462.evil.example", "", "localhost"]
    {
        let answer = desk.ask(with(desk.own(&Method::GET, "/api/session", ""), "host", bad)).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "host"), "{bad}");
    }
    let nameless = without(desk.own(&Method::GET, "/", ""), "host");
    assert_eq!(desk.ask(nameless).await.status, StatusCode::FORBIDDEN);
    let mut two = desk.own(&Method::GET, "/", "");
    two.headers_mut().append("host", HeaderValue::from_static("evil.example"));
    assert_eq!(desk.ask(two).await.status, StatusCode::FORBIDDEN);
    let absolute = desk.own(&Method::GET, "http://evil.example/api/session", "");
    assert_eq!(desk.ask(absolute).await.status, StatusCode::FORBIDDEN);
    let token = format!("/?token={}", desk.guard.access.token());
    let rebound = with(desk.own(&Method::GET, &token, ""), "host", "evil.example:8462");
    assert_eq!(desk.ask(rebound).await.header("set-cookie"), "", "no cookie for a foreign name");
}

#[tokio::test]
async fn changes_come_from_the_page_alone() {
    let desk = Desk::new(false);
    let change = || desk.own(&Method::POST, "/api/time", CHANGE);
    let refused = |answer: Answered, code: &str| assert_eq!(answer.code(), code, "{}", answer.status);
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:8463",
        "https://127.0.0.1:8462",
        "http://localhost:8462",
        "",
    ] {
        refused(desk.ask(with(change(), "origin", origin)).await, "origin");
    }
    refused(desk.ask(without(change(), "origin")).await, "origin");
    for site in ["cross-site", "same-site"] {
        refused(desk.ask(with(change(), "sec-fetch-site", site)).await, "origin");
        refused(
            desk.ask(with(desk.own(&Method::GET, "/api/fleet", ""), "sec-fetch-site", site)).await,
            "origin",
        );
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
    {
        refused(desk.ask(with(change(), "content-type", kind)).await, "contentType");
    }
    refused(desk.ask(without(change(), "content-type")).await, "contentType");
    assert_eq!(desk.backend.calls(), [""; 0]);
    let answer = desk.ask(with(change(), "content-type", "application/json; charset=utf-8")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(desk.backend.calls(), ["set_time"]);
}

#[tokio::test]
async fn a_link_that_is_read_only_changes_nothing_whatever_is_called() {
    let desk = Desk::new(true);
    let session = desk.get("/api/session").await.json();
    assert_eq!(session["readOnly"], true);
    assert!(session["can"].as_object().unwrap().values().all(|can| can == false), "{session}");
    let description: serde_json::Value = serde_json::from_str(super::super::OPENAPI).unwrap();
    let mut tried = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "get") {
            let method = method.to_uppercase().parse().unwrap();
            let answer = desk.change(method, &path.replace("{id}", "a"), "{}").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::FORBIDDEN, "readOnly"),
                "{path}"
            );
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
    assert_eq!(desk.backend.calls(), [""; 0]);
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let desk = Desk::new(false);
    let stranger = without(desk.own(&Method::GET, "/", ""), "cookie");
    let answers = [
        desk.get("/").await,
        desk.get("/app.js").await,
        desk.get("/api/session").await,
        desk.get("/api/nothing").await,
        desk.ask(stranger).await,
    ];
    for answer in &answers {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    assert_eq!(answers[2].header("cache-control"), "no-store");
}

/// The page holds nothing that the policy would refuse.
#[tokio::test]
async fn the_page_has_no_script_and_no_style_of_its_own() {
    let desk = Desk::new(false);
    let page = String::from_utf8(desk.get("/").await.body).unwrap().to_lowercase();
    assert!(page.contains("<script"), "{page}");
    for script in page.split("<script").skip(1) {
        assert!(script.split('>').next().unwrap().contains("src="), "{script}");
    }
    for refused in ["<style", " style=", " onload=", " onclick=", "=\"javascript:", "http://", "https://"] {
        assert!(!page.contains(refused), "{refused} in {page}");
    }
}

#[tokio::test]
async fn the_page_is_kept_and_packed_as_the_browser_likes() {
    let desk = Desk::new(false);
    let plain = desk.get("/app.js").await;
    let packed =
        desk.ask(with(desk.own(&Method::GET, "/app.js", ""), "accept-encoding", "br, gzip;q=1.0")).await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert!(packed.body.len() < plain.body.len() && packed.body.starts_with(&[0x1f, 0x8b]));
    let refused = with(desk.own(&Method::GET, "/app.js", ""), "accept-encoding", "gzip;q=0");
    assert_eq!(desk.ask(refused).await.header("content-encoding"), "");
    let again = with(desk.own(&Method::GET, "/app.js", ""), "if-none-match", plain.header("etag"));
    let again = desk.ask(again).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    for path in ["/..%2FCargo.toml", "/nothing.js", "/app.js/x", "/%2e%2e/app.js"] {
        assert_eq!(desk.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
