//! Where the log goes: to standard error, with time and colour for people; to journald with its levels, without time,
//! which it adds itself.

use std::fmt;
use std::io::IsTerminal;

use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Format, Full, Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use tracker_protocol::Printable;

use crate::platform::stderr::tell;

/// Starts the log of this process.
pub fn start(level: Level) {
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .fmt_fields(fields())
        // Or it would tell by a macro that panics when nobody reads what is told.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if goes_to_journald() {
        let line = Format::default().without_time().with_level(false).with_target(false).with_ansi(false);
        log.event_format(Journald(line)).init();
    } else {
        log.init();
    }
}

/// The fields of what is told, each in one line, as much of it comes from the other side.
fn fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = Printable(format_args!("{value:?}"));
        match (field.name(), writer.has_ansi_escapes()) {
            ("message", _) => write!(writer, "{value}"),
            (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
            (name, false) => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}

/// An error and its causes in one sentence. Many errors name their cause themselves; it is not told twice.
pub fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |sentence, link| match (sentence.as_str(), link.to_string()) {
        ("", text) => text,
        (so_far, text) if so_far.contains(text.trim_end()) => sentence,
        (so_far, text) => format!("{so_far}: {text}"),
    })
}

/// Says why the program ends. For journald that is an error, in each of its lines; an error of the configuration shows the
/// place in the file.
pub fn complain(why: &str) {
    let level = if goes_to_journald() { "<3>" } else { "" };
    for line in format!("container-tracker: {why}").lines() {
        tell!("{level}{}", Printable(line));
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a writer").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(tell: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let log =
            tracing_subscriber::fmt().with_target(false).with_ansi(false).without_time().fmt_fields(fields());
        tracing::subscriber::with_default(log.with_writer(move || writer.clone()).finish(), tell);
        let bytes = written.0.lock().expect("a writer").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_is_one_line_whatever_stands_in_it() {
        let nasty = "a\n<3>all is well \u{1b}[2J\u{9b}\0\u{202e}";
        let line = logged(|| tracing::warn!(device = "box", name = nasty, place = %nasty, "it says {nasty}"));
        let shown = "a\\u{a}<3>all is well \\u{1b}[2J\\u{9b}\\u{0}\\u{202e}";
        let start = format!(" WARN it says {shown} device=\"box\" name=\"a\\n<3>");
        assert!(line.starts_with(&start), "{line:?}");
        assert!(line.ends_with(&format!(" place={shown}\n")), "{line:?}");
        assert_eq!(line.lines().count(), 1);
        assert!(!line.trim_end().contains(char::is_control), "{line:?}");
    }
}
