//! Calls of one service: HTTPS, a token for each call, entity tags, pages, and errors with their reasons.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use percent_encoding::utf8_percent_encode;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use ureq::http::{Method, Request, Response, request::Builder};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::connection_string::ConnectionString;
use super::gate::{Gate, MOST_WAITS};
use super::sas::{self, RESERVED};
use super::service_error::ServiceError;
use crate::cli::cloud::amqp::{Caller, HubPlace};
use crate::platform::clock::system_time;
use crate::platform::user_agent::user_agent;

/// For the TCP connection and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// For the answer, beyond what the service was asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// How long a token is good; as in the Azure CLI.
const TOKEN_LIFE_S: i64 = 600;

/// The most calls that are under way at a time, each on a connection that is kept.
pub(crate) const AT_ONCE: usize = 32;

/// How long one is used again, so that many calls don't each sign one.
const TOKEN_USE_S: i64 = 60;

/// A page of a thousand full twins is far smaller.
const BODY_LIMIT: u64 = 256 * 1024 * 1024;

/// Items asked for at a time.
const PAGE: &str = "1000";

/// The API version of a service, and its name for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Dps,
    Hub,
}

impl Service {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dps => "a provisioning service",
            Self::Hub => "a hub",
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            // An older one would take an enrollment's certificate policy away when it updates it.
            Self::Dps => tracker_protocol::dps::ISSUING_API_VERSION,
            Self::Hub => "2021-04-12",
        }
    }

    fn etag_header(self, etag: &str) -> String {
        let bare = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag);
        match (self, bare) {
            // DPS takes its wildcard bare; a hub wants quotes around everything.
            (Self::Dps, "*") => "*".into(),
            _ => format!("\"{bare}\""),
        }
    }
}

/// A call to be made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    parameters: Vec<(&'static str, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    patience: Duration,
}

impl Call {
    /// A call of the path that these segments make, each encoded.
    pub(crate) fn new(method: Method, segments: &[&str]) -> Self {
        let path =
            segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, RESERVED))).collect();
        Self {
            method,
            path,
            parameters: Vec::new(),
            headers: Vec::new(),
            body: None,
            patience: ANSWER_TIMEOUT,
        }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    /// A POST, without a body until it is given one.
    pub(crate) fn post(segments: &[&str]) -> Self {
        Self { body: Some(Vec::new()), ..Self::new(Method::POST, segments) }
    }

    pub(crate) fn put(segments: &[&str], body: &Value) -> Self {
        Self::new(Method::PUT, segments).json(body)
    }

    pub(crate) fn patch(segments: &[&str], body: &Value) -> Self {
        Self::new(Method::PATCH, segments).json(body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        let body = Some(body.to_string().into_bytes());
        Self { body, ..self }.header("content-type", "application/json; charset=utf-8")
    }

    pub(crate) fn bytes(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn parameter(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.push((name, value.to_owned()));
        self
    }

    /// Waits this much longer for the answer.
    pub(crate) fn patient(self, more: Duration) -> Self {
        Self { patience: ANSWER_TIMEOUT + more, ..self }
    }
}

/// One service, called with one connection string.
pub(crate) struct Client {
    agent: Agent,
    connection: ConnectionString,
    is_azure: bool,
    service: Service,
    /// What to do when nobody answers.
    advice: String,
    roots: Vec<CertificateDer<'static>>,
    place: HubPlace,
    /// Obeyed, where many calls are made.
    gate: Option<Gate>,
    /// When it was signed, and itself.
    last_token: Mutex<Option<(i64, String)>>,
}

impl Client {
    pub(crate) fn new(
        connection: ConnectionString,
        is_azure: bool,
        service: Service,
        roots: &[Certificate<'static>],
        advice: String,
        place: HubPlace,
    ) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(roots))
            .build();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(user_agent())
            .accept("application/json")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_idle_connections(AT_ONCE)
            .max_idle_connections_per_host(AT_ONCE)
            .tls_config(tls);
        if !is_azure {
            // Proxies lead out of the house, and an emulator is in it.
            config = config.proxy(None);
        }
        let roots = roots.iter().map(|root| CertificateDer::from(root.der()).into_owned()).collect();
        Self {
            agent: config.build().new_agent(),
            connection,
            is_azure,
            service,
            advice,
            roots,
            place,
            gate: None,
            last_token: Mutex::default(),
        }
    }

    /// The same; when the service asks to wait (429), all callers wait and call again.
    pub(crate) fn patient(self) -> Self {
        Self { gate: Some(Gate::default()), ..self }
    }

    /// Whether callers wait because the service has asked for it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.gate.as_ref().is_some_and(Gate::is_closed)
    }

    /// Callers that wait go away, with the error 429.
    pub(crate) fn leave(&self) {
        if let Some(gate) = &self.gate {
            gate.leave();
        }
    }

    /// The same hub, to be called over AMQP.
    pub(crate) fn over_amqp(&self) -> anyhow::Result<Caller> {
        Caller::new(&self.connection, self.is_azure, &self.place, &self.roots)
    }

    /// A token of its policy, good until then.
    pub(crate) fn token(&self, expiry: i64) -> String {
        sas::sign(&self.connection.key, self.name(), expiry, &self.connection.policy)
    }

    /// A token of a device of the hub, signed with the device's key.
    pub(crate) fn device_token(&self, device: &str, key: &[u8], expiry: i64) -> String {
        sas::sign(key, &format!("{}/devices/{device}", self.name()), expiry, "")
    }

    /// Its name at Azure; of one that has none, its host.
    pub(crate) fn name(&self) -> &str {
        self.place.name.as_deref().unwrap_or(self.host())
    }

    /// Whether it is known where it speaks AMQP.
    pub(crate) fn has_amqp(&self) -> bool {
        self.is_azure || self.place.amqp_port.is_some()
    }

    /// Whether a real Azure is called.
    pub(crate) fn is_azure(&self) -> bool {
        self.is_azure
    }

    /// The host that is called.
    pub(crate) fn host(&self) -> &str {
        &self.connection.host
    }

    /// The call under the condition that the resource still has this entity tag; `*`: that it exists.
    pub(crate) fn if_match(&self, call: Call, etag: &str) -> Call {
        call.header("if-match", &self.service.etag_header(etag))
    }

    /// Calls, and gives the answer's JSON; `Null` if there is none.
    pub(crate) fn call(&self, call: Call) -> anyhow::Result<Value> {
        let mut answer = self.send(call)?;
        self.read(&mut answer)
    }

    /// The same; a 404 is no error but `None`.
    pub(crate) fn find(&self, call: Call) -> anyhow::Result<Option<Value>> {
        match self.call(call) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.downcast_ref::<ServiceError>().is_some_and(|error| error.status == 404) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// All items of a list, page by page; `top` at most.
    pub(crate) fn list(&self, call: &Call, top: Option<usize>) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        self.pages(call, |page| {
            items.extend(page);
            top.is_none_or(|top| items.len() < top)
        })?;
        items.truncate(top.unwrap_or(usize::MAX));
        Ok(items)
    }

    /// The pages of a list, one after the other, as long as `take` wants more.
    pub(crate) fn pages(&self, call: &Call, mut take: impl FnMut(Vec<Value>) -> bool) -> anyhow::Result<()> {
        let mut continuation: Option<String> = None;
        loop {
            let mut page = call.clone().header("x-ms-max-item-count", PAGE);
            if let Some(token) = &continuation {
                page = page.header("x-ms-continuation", token);
            }
            let mut answer = self.send(page)?;
            continuation = header(&answer, "x-ms-continuation").filter(|token| !token.is_empty());
            let Value::Array(page) = self.read(&mut answer)? else {
                return Err(anyhow!("{} did not answer a list", self.host()));
            };
            if !take(page) || continuation.is_none() {
                return Ok(());
            }
        }
    }

    /// An answer that goes on for ever.
    pub(crate) fn stream(&self, call: Call) -> anyhow::Result<impl Read + Send + 'static> {
        Ok(self.send(call)?.into_body().into_reader())
    }

    fn send(&self, call: Call) -> anyhow::Result<Response<Body>> {
        let Some(gate) = &self.gate else { return self.send_once(call) };
        let mut asked = 0;
        loop {
            if !gate.pass() {
                return Err(ServiceError::parse(429, None, b"nobody waits for it any more").into());
            }
            let error = match self.send_once(call.clone()) {
                Err(error) => error,
                answered => return answered,
            };
            let refusal = error.downcast_ref::<ServiceError>().filter(|refusal| refusal.status == 429);
            let Some(refusal) = refusal.filter(|_| asked < MOST_WAITS) else { return Err(error) };
            gate.close(asked, refusal.retry_after);
            asked += 1;
        }
    }

    fn send_once(&self, call: Call) -> anyhow::Result<Response<Body>> {
        let mut uri =
            format!("https://{}{}?api-version={}", self.host(), call.path, self.service.api_version());
        for (name, value) in &call.parameters {
            uri += &format!("&{name}={}", utf8_percent_encode(value, RESERVED));
        }
        let mut request =
            Request::builder().method(call.method).uri(uri).header("authorization", self.own_token());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let answered = match call.body {
            Some(body) => self.run(request, body, call.patience),
            None => self.run(request, (), call.patience),
        };
        let mut answer = answered.map_err(|error| self.explain(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = header(&answer, "iothub-errorcode");
        let retry_after = header(&answer, "retry-after").and_then(|text| text.trim().parse().ok());
        // What cannot be read is no better than nothing.
        let body = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().unwrap_or_default();
        let mut refusal = ServiceError::parse(answer.status().as_u16(), code.as_deref(), &body);
        refusal.retry_after = retry_after.map(Duration::from_secs);
        Err(anyhow::Error::new(refusal).context(format!("{} refuses", self.host())))
    }

    /// The one of the last call, as long as it is new.
    fn own_token(&self) -> String {
        let now = system_time().timestamp();
        let mut last = self.last_token.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((since, token)) if (*since..*since + TOKEN_USE_S).contains(&now) => token.clone(),
            _ => {
                let token = sas::token(&self.connection, now + TOKEN_LIFE_S);
                *last = Some((now, token.clone()));
                token
            }
        }
    }

    fn run(
        &self,
        request: Builder,
        body: impl ureq::AsSendBody + 'static,
        patience: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request.body(body)?);
        self.agent.run(request.timeout_recv_response(Some(patience)).build())
    }

    fn read(&self, answer: &mut Response<Body>) -> anyhow::Result<Value> {
        let body = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec();
        let body = body.map_err(|error| self.explain(error))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).with_context(|| format!("{} did not answer with JSON", self.host()))
    }

    fn explain(&self, error: ureq::Error) -> anyhow::Error {
        let host = self.host();
        // TLS failures come as such or inside an I/O error.
        let tls = match &error {
            ureq::Error::Rustls(error) => Some(error),
            ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            _ => None,
        };
        if let Some(rustls::Error::InvalidCertificate(reason)) = tls {
            return anyhow!(
                "the certificate of {host} is not trusted ({reason:?}); an emulator's authority is made anew unless it \
                 has a state directory: name the server-ca.pem of the running one with --server-ca"
            );
        }
        match error {
            ureq::Error::Timeout(stage) => {
                anyhow!("{host} did not answer in time ({stage}); {}", self.advice)
            }
            ureq::Error::HostNotFound => anyhow!("the name {host} can't be resolved; {}", self.advice),
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                anyhow!("can't talk to {host}, nobody listens there: {}", self.advice)
            }
            ureq::Error::Io(error) => anyhow!("can't talk to {host}: {error}; {}", self.advice),
            error => anyhow!("can't talk to {host}: {error}; {}", self.advice),
        }
    }
}

fn header(answer: &Response<Body>, name: &str) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_quoted_as_each_service_wants_them() {
        assert_eq!(Service::Dps.etag_header("\"6cdc\""), "\"6cdc\"");
        assert_eq!(Service::Dps.etag_header("6cdc"), "\"6cdc\"");
        assert_eq!(Service::Dps.etag_header("*"), "*");
        assert_eq!(Service::Hub.etag_header("AAAA="), "\"AAAA=\"");
        assert_eq!(Service::Hub.etag_header("*"), "\"*\"");
    }

    #[test]
    fn identifiers_are_encoded_in_paths() {
        assert_eq!(Call::get(&["devices", "a b/c:1"]).path, "/devices/a%20b%2Fc%3A1");
    }
}
