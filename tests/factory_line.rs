//! The commands of `docs/factory-line.md`, run as they are written.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::path::Path;
use std::process::Command;

use container_tracker::identity::Identity;

/// The shell blocks of a document below a heading.
fn blocks(document: &str, heading: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_loop_makes_identities_that_the_agent_takes() {
    let directory = tempfile::tempdir().unwrap();
    let authority: String = blocks("azure.md", "## 2. Certificates").into_iter().take(3).collect();
    let line: String = blocks("factory-line.md", "## Leafs in bulk").concat();
    let script = format!(
        "set -e\n{authority}\nprintf 'box-1\\r\\nBad Name\\nBOX/21\\n\\nbox-2' > serials.txt\n{line}{line}"
    );
    let output = Command::new("sh").arg("-c").arg(script).current_dir(directory.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let refused: Vec<_> =
        told.lines().filter_map(|line| line.strip_prefix("not a registration ID: ")).collect();
    assert_eq!(refused, ["Bad Name", "BOX/21", "Bad Name", "BOX/21"], "each time: {told}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        told.matches(": OK").count(),
        2,
        "made once and verified, and left alone the second time: {told}"
    );

    let thumbprints = fs::read_to_string(directory.path().join("pki/thumbprints.csv")).unwrap();
    for id in ["box-1", "box-2"] {
        let file = |suffix: &str| directory.path().join(format!("pki/devices/{id}{suffix}"));
        let identity = Identity::load(&file("-chain.pem"), &file(".key").into(), directory.path()).unwrap();
        assert_eq!(identity.registration_id.as_str(), id);
        let line = format!("{id},{}", identity.thumbprint.to_uppercase());
        assert!(thumbprints.lines().any(|found| found == line), "{line} is not in\n{thumbprints}");
    }
}
