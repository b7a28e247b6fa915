//! A Direct Connect API and a bgpd that say what a test tells them to, and the
//! program run against them.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// In every answer where AWS puts a key; never in any output.
pub(crate) const CANARY: &str = "canary0KEY0canary";

/// What the API answers to one call.
pub(crate) enum Answer {
    Json(Value),
    /// Status, code, message.
    Error(u16, &'static str, &'static str),
    /// A body that is no JSON.
    Broken(String),
}

/// Operation, its input, and the service that the request was signed for.
type Log = Arc<Mutex<Vec<(String, Value, String)>>>;

/// The API, on a port of its own until the test ends.
pub(crate) struct Api {
    pub(crate) url: String,
    log: Log,
}

impl Api {
    /// `answer` gets the operation, its input, and how often it was called before.
    pub(crate) fn start(
        answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let log = Log::default();
        let answer = Arc::new(answer);
        let handler_log = log.clone();
        let handle = move |headers: HeaderMap, body: Bytes| {
            let target = headers.get("x-amz-target").unwrap().to_str().unwrap();
            let operation = target.rsplit_once('.').unwrap().1.to_owned();
            let signed = headers.get("authorization").unwrap().to_str().unwrap();
            let service = signed.split('/').nth(3).unwrap().to_owned();
            let input: Value = serde_json::from_slice(&body).unwrap();
            let mut log = handler_log.lock().unwrap();
            let before = log.iter().filter(|(name, ..)| *name == operation).count();
            log.push((operation.clone(), input.clone(), service));
            let answer = answer(&operation, &input, before);
            async move { respond(answer) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let app = Router::new().fallback(handle);
        std::thread::spawn(move || {
            run(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { url, log }
    }

    /// The inputs of an operation's calls so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|(name, ..)| name == operation)
            .map(|(_, input, _)| input.clone())
            .collect()
    }

    /// The services that an operation's requests were signed for.
    pub(crate) fn signed_for(&self, operation: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let own = log.iter().filter(|(name, ..)| name == operation);
        own.map(|(.., service)| service.clone()).collect()
    }

    /// The program, with this API as its AWS and nothing else of this machine's.
    pub(crate) fn dxctl(&self, arguments: &[&str]) -> Run {
        run_dxctl(arguments, &[("AWS_ENDPOINT_URL_DIRECT_CONNECT", &self.url)])
    }
}

fn respond(answer: Answer) -> Response {
    let json_type = [("content-type", "application/x-amz-json-1.1")];
    match answer {
        Answer::Json(value) => (json_type, value.to_string()).into_response(),
        Answer::Broken(text) => (json_type, text).into_response(),
        Answer::Error(status, code, message) => {
            let body = json!({ "__type": code, "message": message }).to_string();
            (StatusCode::from_u16(status).unwrap(), json_type, body).into_response()
        }
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future);
}

/// A bgpd's control socket that answers `status` and `routes`.
pub(crate) struct Daemon {
    directory: tempfile::TempDir,
}

/// Method, path with query, body; status and answer.
pub(crate) type Asked<'a> = (&'a str, &'a str, Value);

impl Daemon {
    /// One that answers as `handle` says.
    pub(crate) fn scripted(
        handle: impl Fn(Asked<'_>) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let handle = Arc::new(handle);
        Self::serve(
            Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let path = uri.path_and_query().unwrap().as_str();
                let (status, answer) = handle((method.as_str(), path, body));
                async move { (StatusCode::from_u16(status).unwrap(), answer.to_string()) }
            }),
        )
    }

    pub(crate) fn start(status: Value, routes: Value) -> Self {
        let handle = move |uri: Uri| {
            let answer = match uri.path() {
                "/v1/status" => Ok(status.clone()),
                "/v1/reload" => Ok(json!({})),
                "/v1/routes" => Ok(routes.clone()),
                "/v1/routes/10.0.0.0%2F16" => Ok(routes["routes"][0].clone()),
                _ => Err((
                    StatusCode::NOT_FOUND,
                    json!({ "error": "no such route" }).to_string(),
                )),
            };
            async move { answer.map(|value| value.to_string()) }
        };
        Self::serve(Router::new().fallback(handle))
    }

    fn serve(app: Router) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener =
            std::os::unix::net::UnixListener::bind(directory.path().join("bgpd.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            run(async move {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { directory }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("bgpd.sock")
    }
}

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    pub(crate) fn fails(&self, code: i32, because: &str) {
        assert!(
            self.code == code && self.err.contains(because),
            "{because}: {self:?}"
        );
        assert_eq!(self.out, "", "{self:?}");
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program with these variables alone.
pub(crate) fn run_dxctl(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    Run::from(dxctl_command(arguments, variables).output().unwrap())
}

/// The program with these variables alone, not yet run.
pub(crate) fn dxctl_command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dxctl"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.envs([
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST"),
        ("AWS_SECRET_ACCESS_KEY", "of/no/worth"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("BGPD_SOCKET", "/nonexistent/bgpd.sock"),
    ]);
    command.envs(
        variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .copied(),
    );
    variables
        .iter()
        .filter(|(_, value)| value.is_empty())
        .for_each(|(name, _)| {
            command.env_remove(name);
        });
    command
}

/// A virtual interface as AWS describes it, with its key wherever AWS puts it.
pub(crate) fn vif(id: &str, name: &str, vlan: u16, state: &str) -> Value {
    json!({
        "ownerAccount": "123456789012",
        "virtualInterfaceId": id,
        "virtualInterfaceName": name,
        "virtualInterfaceType": "private",
        "virtualInterfaceState": state,
        "connectionId": "dxcon-1",
        "location": "EqFA5",
        "region": "eu-central-1",
        "vlan": vlan,
        "mtu": 1500,
        "asn": 0,
        "asnLong": 4_200_000_001u32,
        "amazonSideAsn": 64512,
        "virtualGatewayId": "vgw-1",
        "addressFamily": "ipv4",
        "amazonAddress": "169.254.10.1/30",
        "customerAddress": "169.254.10.2/30",
        "authKey": CANARY,
        "customerRouterConfig": format!("<xml><bgp_auth_key>{CANARY}</bgp_auth_key></xml>"),
        "bgpPeers": [{
            "bgpPeerId": "dxpeer-1",
            "asn": 0,
            "asnLong": 4_200_000_001u32,
            "authKey": CANARY,
            "addressFamily": "ipv4",
            "amazonAddress": "169.254.10.1/30",
            "customerAddress": "169.254.10.2/30",
            "bgpPeerState": "available",
            "bgpStatus": "up",
        }],
        "tags": [{ "key": "team", "value": "net" }],
    })
}

/// An account with one available connection and these virtual interfaces.
pub(crate) fn account(vifs: Vec<Value>) -> impl Fn(&str, &Value, usize) -> Answer {
    move |operation, input, _| match operation {
        "DescribeVirtualInterfaces" => {
            let wanted = input["virtualInterfaceId"].as_str();
            let fits = |vif: &&Value| wanted.is_none_or(|id| vif["virtualInterfaceId"] == id);
            let found: Vec<&Value> = vifs.iter().filter(fits).collect();
            Answer::Json(json!({ "virtualInterfaces": found }))
        }
        "DescribeConnections" => Answer::Json(json!({ "connections": [{
            "connectionId": "dxcon-1", "connectionName": "trunk", "connectionState": "available",
            "jumboFrameCapable": true, "location": "EqFA5", "region": "eu-central-1",
        }] })),
        "DescribeDirectConnectGateways" => Answer::Json(json!({ "directConnectGateways": [{
                "directConnectGatewayId": "gw-1", "amazonSideAsn": 64513,
                "directConnectGatewayState": "available",
            }] })),
        "CreatePrivateVirtualInterface" => Answer::Json(vif("dxvif-new", "prod", 101, "pending")),
        "DeleteVirtualInterface" => Answer::Json(json!({ "virtualInterfaceState": "deleting" })),
        _ => Answer::Error(400, "DirectConnectClientException", "not in this test"),
    }
}

/// What bgpd says of the same session.
pub(crate) fn bgpd_status() -> Value {
    json!({
        "version": "0.1.0", "router_id": "169.254.10.2", "asn": 4_200_000_001u32, "uptime": 75.0,
        "vifs": [{
            "name": "prod", "interface": "eth1.101", "parent": "eth1", "vlan": 101, "mtu": 1500,
            "addresses": ["169.254.10.2/30"], "carrier": true, "sessions": ["prod"],
        }],
        "peers": [{
            "name": "prod", "vif": "prod", "local": "169.254.10.2", "remote": "169.254.10.1",
            "local_asn": 4_200_000_001u32, "remote_asn": 64512, "state": "Established",
            "since": 61.0, "md5": true, "hold_time": 90, "families": ["ipv4"], "flaps": 1,
            "prefixes": { "received": 2, "accepted": 2, "best": 2, "advertised": 1, "stale": 0 },
            "messages": { "updates_received": 2, "updates_sent": 1, "updates_malformed": 0 },
        }],
        "paths": [
            { "name": "prod", "interface": "eth1.101", "gateway": "169.254.10.1", "up": true,
              "health": { "state": "up", "since": 61.0, "reason": null, "failures": 0, "returns_in": null },
              "carries": 2, "probes": [{
                "target": "169.254.10.1", "kind": "icmp", "sent": 100, "lost": 1, "rtt_last": 412,
                "rtt_min": 400, "rtt_avg": 420, "rtt_max": 1500,
              }] },
            { "name": "internet", "interface": "eth0", "gateway": "203.0.113.1", "up": true,
              "health": { "state": "up", "since": 61.0, "reason": null, "failures": 0, "returns_in": null },
              "carries": 0 },
        ],
        "kernel": {
            "routes": 2, "nexthops": 2, "groups": 1, "adopted": 0, "errors": 0, "fast_swap": true,
        },
        "problems": [],
    })
}

/// One prefix with two paths.
pub(crate) fn bgpd_routes() -> Value {
    let path = |peer: &str, why: Option<&str>| {
        json!({
            "peer": peer, "best": why.is_none(), "stale": false, "why_not_best": why,
            "next_hop": "169.254.10.1", "as_path": "64512", "origin": "igp", "med": null,
            "local_pref": 300, "communities": ["7224:7300"], "large_communities": [],
            "extended_communities": [],
        })
    };
    json!({
        "routes": [{
            "prefix": "10.0.0.0/16",
            "paths": [path("prod", None), path("spare", Some("lower LOCAL_PREF"))],
        }],
        "truncated": false,
    })
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
