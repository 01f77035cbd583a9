//! Where the log goes: to standard error, with time and colour for people; to journald with its levels, without time,
//! which it adds itself.

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts the log of this process.
pub(in crate::cli) fn start(level: Level) {
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if goes_to_journald() {
        let line = Format::default().without_time().with_level(false).with_target(false).with_ansi(false);
        log.event_format(Journald(line)).init();
    } else {
        log.init();
    }
}

/// An error and its causes in one sentence. Many errors name their cause themselves; it is not told twice.
pub(in crate::cli) fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |sentence, link| match (sentence.as_str(), link.to_string()) {
        ("", text) => text,
        (so_far, text) if so_far.contains(text.trim_end()) => sentence,
        (so_far, text) => format!("{so_far}: {text}"),
    })
}

/// Says why the program ends. For journald that is an error, in each of its lines.
pub(in crate::cli) fn complain(why: &str) {
    let level = if goes_to_journald() { "<3>" } else { "" };
    for line in format!("container-tracker: {why}").lines() {
        eprintln!("{level}{line}");
    }
}

/// Whether standard error is the stream of which systemd says that it leads to journald. A redirected one is not.
#[cfg(unix)]
fn goes_to_journald() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let metadata = stderr.and_then(|stderr| stderr.metadata());
    metadata.is_ok_and(|metadata| stream == format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn goes_to_journald() -> bool {
    false
}

/// Each line begins with its level as `sd-daemon(3)` writes it, so that `journalctl -p warning` works.
struct Journald(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for Journald
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        text.lines().try_for_each(|line| writeln!(writer, "<{level}>{line}"))
    }
}
