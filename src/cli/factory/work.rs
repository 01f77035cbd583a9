//! What is done for one box.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::label;
use super::step::{self, Ended};
use super::table::Row;
use crate::cli::pki::issuer::{Issuer, Leaf};
use crate::cli::pki::leaf::make_for_line;
use crate::cli::pki::place::{Access, put};
use crate::cli::pki::request;
use crate::cli::pki::serials::Serial;
use crate::cli::terminal::stopping::Stop;

/// So often is asked where DPS says that it is busy.
const TRIES: usize = 5;

/// The commands of the line.
pub(super) struct Steps {
    pub(super) deliver: Option<String>,
    pub(super) check: Option<String>,
    pub(super) provision: Option<String>,
    /// How long each may take.
    pub(super) within: Duration,
    /// How long to wait where DPS is busy.
    pub(super) later: Duration,
}

/// All that works on boxes.
pub(super) struct Work {
    /// No command is begun once it is asked for.
    pub(super) stop: Stop,
    pub(super) issuer: Issuer,
    pub(super) steps: Steps,
    pub(super) labels: PathBuf,
    pub(super) chains: Option<PathBuf>,
    pub(super) capitals: bool,
    pub(super) force: bool,
}

impl Work {
    /// All steps, up to the first that goes wrong.
    pub(super) fn one(&mut self, serial: &Serial, request: Option<&Path>) -> Row {
        let mut row = Row::new(serial);
        if let Err(error) = self.steps(serial, request, &mut row) {
            row.why = format!("{error:#}");
        } else {
            row.step = "";
        }
        row
    }

    fn steps(&mut self, serial: &Serial, request: Option<&Path>, row: &mut Row) -> anyhow::Result<()> {
        row.step = "request";
        let leaf = match request {
            Some(path) => self.sign(serial, path, row)?,
            None => {
                row.step = "certificate";
                make_for_line(&mut self.issuer, &serial.id, self.force)?
            }
        };
        row.thumbprint.clone_from(&leaf.row.thumbprint);
        row.not_after = leaf.row.not_after.format("%Y-%m-%d").to_string();
        row.step = "chain";
        if let Some(directory) = &self.chains {
            let path = directory.join(format!("{}-chain.pem", serial.id));
            self.put_same(&path, self.issuer.chain(&leaf)?.as_bytes())?;
        }
        row.step = "deliver";
        self.run(self.steps.deliver.as_deref(), &serial.id)?;
        row.step = "check";
        self.run(self.steps.check.as_deref(), &serial.id)?;
        row.step = "provision";
        if let Some(command) = &self.steps.provision {
            let answer = self.provision(command, &serial.id)?;
            judge(&answer, &serial.id, &leaf)?;
            row.hub = answer["hub"].as_str().unwrap_or_default().into();
            row.device_id = answer["deviceId"].as_str().unwrap_or_default().into();
        }
        row.step = "label";
        let label = label::Label { id: &serial.id, thumbprint: &leaf.row.thumbprint };
        self.put_same(&self.labels.join(format!("{}.svg", serial.id)), label.svg()?.as_bytes())?;
        self.put_same(&self.labels.join(format!("{}.zpl", serial.id)), label.zpl().as_bytes())
    }

    /// The leaf of a request: a new one, or the one that an earlier run has made for it.
    fn sign(&mut self, serial: &Serial, path: &Path, row: &mut Row) -> anyhow::Result<Leaf> {
        let wish = request::read(path, self.capitals).with_context(|| path.display().to_string())?;
        if wish.id != serial.id {
            bail!("{} asks for {}: is it another box?", wish.path.display(), wish.id);
        }
        row.step = "certificate";
        if !self.force
            && let Some(leaf) = self.issuer.written(&wish.id, wish.public_key())?
        {
            self.issuer.take_in(&leaf)?;
            return Ok(leaf);
        }
        if let Some(why) = self.issuer.refusal(&wish.id, wish.public_key())? {
            bail!("{why}");
        }
        let leaf = self.issuer.certify(&wish.id, wish.public_key())?;
        self.issuer.put(&leaf)?;
        Ok(leaf)
    }

    /// Writes a file, unless it is there as it should be.
    fn put_same(&self, path: &Path, content: &[u8]) -> anyhow::Result<()> {
        match std::fs::read(path) {
            Ok(there) if there == content => Ok(()),
            Ok(_) if !self.force => bail!(
                "{} is there already, and is of another certificate; move it away, or say --force",
                path.display()
            ),
            _ => put(path, content, Access::Public),
        }
    }

    fn run(&self, command: Option<&str>, id: &str) -> anyhow::Result<()> {
        let Some(command) = command else { return Ok(()) };
        match self.command(command, id)? {
            Ended { code: Some(0), .. } => Ok(()),
            ended => Err(anyhow!("{}", ended.why())),
        }
    }

    fn command(&self, command: &str, id: &str) -> anyhow::Result<Ended> {
        let place = &self.issuer.place;
        let file = |suffix: &str| place.device(id, suffix).display().to_string();
        let values = [("{id}", id.to_owned()), ("{chain}", file("-chain.pem")), ("{key}", file(".key"))];
        self.stop.check()?;
        step::run(command, &values, self.steps.within)
    }

    /// What the box says after it has asked DPS.
    fn provision(&self, command: &str, id: &str) -> anyhow::Result<Value> {
        for tried in 1..=TRIES {
            let ended = self.command(command, id)?;
            let answer = ended.answer();
            match (ended.code, answer) {
                (Some(0), Some(answer)) => return Ok(answer),
                (Some(0), None) => bail!("it has printed no JSON; say `container-tracker provision --json`"),
                (Some(4), _) if tried < TRIES => drop(self.stop.sleep(self.steps.later)),
                (code, answer) => {
                    let text = answer.as_ref().and_then(|answer| answer["text"].as_str()).map(str::to_owned);
                    let what = match code {
                        Some(3) => "put it aside: ",
                        Some(4) => "try it later: ",
                        Some(5) => "look at its network: ",
                        _ => "",
                    };
                    bail!("{what}{}", text.unwrap_or_else(|| ended.why()));
                }
            }
        }
        bail!("DPS is busy; later it may do")
    }
}

/// Whether the box that has answered is this one.
fn judge(answer: &Value, id: &str, leaf: &Leaf) -> anyhow::Result<()> {
    let said = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
    if said("outcome") != "assigned" {
        bail!("it is not assigned: {}", said("text"));
    }
    if said("registrationId") != id {
        bail!("another box has answered: it is {}", said("registrationId"));
    }
    if !said("thumbprint").eq_ignore_ascii_case(&leaf.row.thumbprint) {
        bail!(
            "it has shown another certificate, with the thumbprint {}; was the chain brought to it?",
            said("thumbprint")
        );
    }
    Ok(())
}
