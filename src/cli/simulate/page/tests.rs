//! The page of a fleet, as a terminal shows it.

use serde_json::json;
use tracker_emulator::TelemetryMessage;
use tracker_protocol::PropertyBag;

use super::fleet::FleetPage;
use super::order::{Order, is_meant};
use crate::cli::terminal::screen::{Flow, Key, Page, snapshot};
use crate::lab::board::{Board, Brief};
use crate::status::State;

/// A board with containers between Rotterdam and Auckland; the last has a name that is markup and more.
fn board() -> &'static Board {
    let board: &'static Board = Box::leak(Box::default());
    board.note("console", "it can be seen", &json!({"link": "http://localhost:8462/"}));
    let ids = ["sensor-thl-001", "sensor-thl-002", "\u{1b}[2J<b>東京"];
    for (index, id) in ids.into_iter().enumerate() {
        let part = index as f64 / 2.0;
        let details = json!({"device": id, "voyage": "woerden-tokyo-gouda-cape", "cargo": "Gouda cheese"});
        board.note("voyage", &format!("{id}: Gouda cheese"), &details);
        for seq in 1..=9_u8 {
            let reading = json!({
                "seq": seq, "temperature": 4.0 + part + f64::from(seq % 5), "humidity": 83.0,
                "location": {"lat": 51.9 - 88.0 * part, "lon": 4.5 + 170.0 * part}, "speed": 30.0,
            });
            board.telemetry(&TelemetryMessage {
                hub: "hub".into(),
                device_id: id.into(),
                module_id: None,
                enqueued_time: chrono::DateTime::UNIX_EPOCH,
                sequence_number: 1,
                body: reading.to_string().into(),
                properties: PropertyBag::default(),
                marked_duplicate: false,
                repeated_message_id: false,
            });
        }
    }
    board
}

fn page() -> FleetPage {
    let mut page = FleetPage::new(board(), 3, 1.0);
    assert!(page.refresh());
    page
}

/// Without the times of the log.
fn shown(page: &mut FleetPage, columns: u16, rows: u16) -> String {
    let text = snapshot(page, columns, rows);
    let line = |line: &str| {
        let bytes = line.as_bytes();
        let is_time = bytes.len() > 8 && bytes[2] == b':' && bytes[5] == b':';
        if is_time { format!("hh:mm:ss{}\n", &line[8..]) } else { line.to_owned() + "\n" }
    };
    text.lines().map(line).collect()
}

#[test]
fn at_60_columns_the_map_lies_above_the_table() {
    assert_eq!(
        shown(&mut page(), 60, 24),
        "\
0 of 3 online · 0 in alarm · 0 waiting · 0 s · 1 h/s
⡀ ⢀⣀⣀⣀⣀⣀⣀⣴⣶⣶⣾⣿⣷⣿⣶⣞⣒⠒⢢⣀   ⢠⡾    ⠈⢒⣛⣂⣀  ⣠⣤⡖⣢⣤⡤⠤⠔⠚⠓⠶⠤⠤⢄⣰⡶⠦⣀⣀⣀⣀⣀
⠙⠋⠹⣇⣠⠤⠤⣀  ⠈⠉⠉⠉⣕⠛⠛⡟⢾⣏ ⠓⠴⠒⠉⠉⠛⠛⢀⣀⢠⣲⣱⣾⡦⠙⠛⠉⠈⠈⠈⠉⠁          ⣀⡠⣤⣴⠦⠥⠲
  ⠈⠁   ⠈⠛⢦     ⠉⠙⠃⢤⣖⡿⠄      ⢛⣿●⣉⣉⠉⢀⣄⡄              ⢀⣉⣿⡀⠘⠋
         ⠑⢄⡀   ⣀⢀⠞⠁         ⡻⠶⠧⠻⣟⣻⣻⣽⠉            ⠲⡿⣧⡵⠏
          ⠈⠳⢤⡸⣉⡭⠿⣄⣀        ⡜⠁      ⠹⣆⠈⠛⢲⠒⢦  ⡤⢄ ⣠⡤⢴⡃
             ⠈⠑⠻⢧⡔⠦⠤⢄⡀     ⠣⢄⣀⣀⡀    ⠑⢗⠎⠁  ⠣⡏●⢈⣷⡬⠂⣘⣷
                ⢸⠁   ⠘⠲⠤⡀   ⠈ ⠈⢪    ⣤⠊        ⠫⣣⣯⢷⡞⠳⢶⣤⣠⡄
                ⠈⠦⡄    ⢰⠁      ⢠⠃  ⢀⡹⡴⡆         ⠈⣁⠽⠟⠾⠞⣍  ⡀
                  ⡇ ⡀⡰⠊⠁        ⢱⣀⢀⠎ ⠛          ⠸⡀⣀⣀⣀ ⠈⡆ ⠉
                 ⣸⢀⡴⠋⠁           ⠁⠁              ⠉  ⠉⠳⡾  ⢀●⠖
                 ⠸⠶⠕⠂
device              °C          alarm        waits state
\\u{1b}[2J<b>東 …    9.0 ▅▆█▁▃▅▆█                  0 starts
sensor-thl-001     8.0 ▅▆█▁▃▅▆█                  0 starts
sensor-thl-002     8.5 ▅▆█▁▃▅▆█                  0 starts



── log ─────────────────────────────────────────────────────
hh:mm:ss sensor-thl-001: Gouda cheese
hh:mm:ss sensor-thl-002: Gouda cheese
hh:mm:ss \\u{1b}[2J<b>東 京 : Gouda cheese
q ends · Enter shows · / finds · s order: device · ? keys
"
    );
}

#[test]
fn at_80_columns_and_few_rows_there_is_the_table_alone() {
    assert_eq!(
        shown(&mut page(), 80, 12),
        "\
0 of 3 online · 0 in alarm · 0 waiting · 0 s · 1 h/s
device                  °C            %RH alarm            waits state     heard
\\u{1b}[2J<b>東 京        9.0 ▅▆█▁▃▅▆█  83.0                      0 starts      0 s
sensor-thl-001         8.0 ▅▆█▁▃▅▆█  83.0                      0 starts      0 s
sensor-thl-002         8.5 ▅▆█▁▃▅▆█  83.0                      0 starts      0 s






q ends · Enter shows · / finds · s order: device · ? keys
"
    );
}

#[test]
fn at_200_columns_the_map_lies_beside_the_table() {
    assert_eq!(
        shown(&mut page(), 200, 24),
        "\
0 of 3 online · 0 in alarm · 0 waiting · 0 s · 1 h/s
device             where                    °C            %RH alarm           waits state     heard                ⣀⣴⣶⣴⣶⣼⢳⣶⣶⣷⣶⣷⣴⡖⠓⠾⠿⠤⠤⡀        ⣀⣴⠁      ⠈⠒⠮⠒⠒       ⢀⣀⣠⣤⠤⠄  ⣀⣀⣀⣈⠵⠾⠓⠦⣤⣤⣀ ⣀⡀ ⠠⣤⣤⠤⣀
\\u{1b}[2J<b>東 京    36.10°S 174.50°E        9.0 ▅▆█▁▃▅▆█  83.0                     0 starts      0 s ⣤⣀⣀⣠⣖⡒⠉⠒⠒⠒⠒⠤⠤⠒⠒⠓⠚⠿⠿⠭⠭⠾⠿⡯⠳⢷⣗⣾⢻⣭⠱⣆⣀ ⠘⡷  ⢀⣀⣀⠤⠼⣛⣀⣀       ⣀⠔⠒⣒⠒⠒⣒⣤⣄⣤⡠⠽⠿⠴⠢⠾⢍⡿⠋⠉          ⠉⠁⠈⠊⠉⠉⠉⠉⠑⠒⠒⠒⠒⠲⠖⠒⠢
sensor-thl-001     51.90°N 4.50°E          8.0 ▅▆█▁▃▅▆█  83.0                     0 starts      0 s ⠈⠉⠉ ⠽⣍⣀⣀⣄⠤⢄⣀⣀          ⢠⡜⠉⠛⠙⣻⠛⢾⣛⢇  ⠈⠢⠤⠎    ⠉⠉⠉⠁ ⢀⡀ ⢖⣉ ⢰⠾⣮⣥⠄⠈⠉⠁                           ⣀⣀⣄⣠⣤⣶⠦⠤⠤⠒⠛
sensor-thl-002     7.90°N 89.50°E          8.5 ▅▆█▁▃▅▆█  83.0                     0 starts      0 s     ⠒⠋⠉⠉     ⠷⢤⡀        ⠉⠑⠒⢖⠎  ⢀⣈⣑⣦            ⣖⣿⣗⣄●⠟⠓⠓⠚⠈                              ⠒⢛⣦  ⠰⡡⠞⠁
                                                                                                                   ⢸⠃             ⣊⢭⡧⠖⠛⠃           ⣀⣈⣻⢀⣀⢄⢤⣄  ⢠⠴⠶⠶⡀                        ⢀⡠⢊⣟⡄
                                                                                                                   ⠈⢆           ⠰⡎⠉                ⠺⣤⡴⠯⠤⠿⡭⠟⠳⠽⠯⣩⣩⠍⠉                    ⢲⡾⢶⣮⢁⣠⣼⠋
                                                                                                                     ⠙⣶⡀   ⣀⠤⠤⠤⣴⠉                 ⣀⠏⠁   ⠈⠑⠢⠜⠑⠒⠲⣺   ⣤⣀⢀                 ⣸ ⠘⠋⠉
                                                                                                                      ⠈⠛⢱ ⠰⡁⢀⢤⠤⠫⣄⣀⣀              ⡔⠁            ⠙⡶⡀  ⠓⢙⡫⠉⠑⠦⡄  ⢀⠤⢢   ⡠⣤⠔⠚⠎
                                                                                                                         ⠉⠑⠚⠫⢾⣲  ⣉⣉⠁             ⡇              ⠙⢵⣀⣤⡒⠁    ⢇ ⡖⠁  ⠛⣤⡀⠈⡇  ⠿⣄
                                                                                                                              ⠙⠛⢖⠁⠁⠉⠉⠓⠤⢄         ⠈⠢⢄⡠⣀⠤⢄⣀         ⠉⡰⠁     ⠈⠒⠧ ● ⣤⣻⢌⠋ ⢀⡤⠸⠿
                                                                                                                               ⢰⠁      ⠐⠳⢤⢄             ⢜       ⢀⠔⠊              ⠫⡹⡀⣏⣁⣝⣷⡊⠟⣴⡤⠤⣀ ⢀⡀
                                                                                                                               ⠸⡀          ⢉⠇            ⢣      ⠸⡀ ⢀              ⠈⠛⠒⠶ ⠉⣕⠆⣀⣈⠓⡔⠻⡭⠁
                                                                                                                                ⠑⠢⢄       ⢀⠇             ⡇     ⢀⠤⠃⡖⢺                  ⢀⡠⠞⠓⠁⠚⠤⠟⡆
                                                                                                                                  ⡜     ⡠⠔⠊              ⠸⡀    ⡼ ⠐⠥⠇                 ⣜⠁       ⠈⠓⡄  ⠙⠂
                                                                                                                                  ⡇  ⢀⣀⡰⠁                 ⠨⣂⣀⡠⠊                      ⢘⣄⣀⡤⠔⠒⣄⡄  ⢠⠃    ⢀⡀
                                                                                                                                 ⣸  ⡴⠒⠃                                                     ⠘⢲⢶⠃    ⢀⣠●⠂
                                                                                                                                 ⡟⢀⡺ ⢀                                                        ⠉     ⠓⠋
                                                                                                                                 ⠙⠫⠷⠂⠉⠁
── log ────────────────────────────────────────────────────────────────────────────────────────────
hh:mm:ss sensor-thl-001: Gouda cheese
hh:mm:ss sensor-thl-002: Gouda cheese
hh:mm:ss \\u{1b}[2J<b>東 京 : Gouda cheese
q ends · Enter shows · / finds · s order: device · ? keys
"
    );
}

#[test]
fn keys_choose_find_sort_and_show() {
    let mut page = page();
    let press = |page: &mut FleetPage, keys: &[Key]| {
        for key in keys {
            assert_eq!(page.press(*key), Flow::Stays);
        }
    };
    press(&mut page, &[Key::End, Key::Up, Key::Enter]);
    let one = snapshot(&mut page, 80, 24);
    assert!(one.starts_with("sensor-thl-001"), "{one}");
    for words in ["temperature", "── position", "51.90°N 4.50°E", "Gouda cheese"] {
        assert!(one.contains(words), "{words:?} is not in\n{one}");
    }
    press(&mut page, &[Key::Down, Key::Char('q'), Key::Char('/'), Key::Char('q'), Key::Backspace]);
    press(&mut page, &[Key::Char('0'), Key::Char('0'), Key::Char('2'), Key::Enter]);
    let found = snapshot(&mut page, 80, 24);
    assert!(found.contains("“002”: 1 of 3") && found.contains("sensor-thl-002"), "{found}");
    press(&mut page, &[Key::Escape, Key::Char('s'), Key::Char('s'), Key::Home, Key::Enter]);
    assert!(snapshot(&mut page, 80, 24).starts_with("\\u{1b}[2J<b>"), "the warmest");
    press(&mut page, &[Key::Escape, Key::Char('?')]);
    let help = snapshot(&mut page, 60, 24);
    assert!(
        help.contains("Ctrl-C        the end") && help.contains("a page        http://localhost"),
        "{help}"
    );
    press(&mut page, &[Key::Char('x')]);
    assert_eq!(page.press(Key::Escape), Flow::Ends);
}

#[test]
fn a_terminal_of_any_size_is_drawn_on() {
    let mut page = page();
    for view in [Key::Char('m'), Key::Char('m'), Key::Char('?'), Key::Char('x'), Key::Enter] {
        page.press(view);
        for (columns, rows) in [(1, 1), (3, 40), (149, 5), (150, 7), (60, 2), (301, 90)] {
            snapshot(&mut page, columns, rows);
        }
    }
}

#[test]
fn orders_put_first_what_they_say() {
    let brief =
        |id: &str| Brief { id: id.into(), state: Some(State::Online), silent_s: Some(1), ..Brief::default() };
    let mut briefs = [
        brief("a"),
        Brief { temperature: Some(9.0), state: Some(State::Refused), ..brief("b") },
        Brief { temperature: Some(-20.0), backlog: 7, ..brief("c") },
        Brief { alarms: vec![("door".into(), false)], silent_s: None, ..brief("d") },
        Brief { alarms: vec![("temperature".into(), true)], silent_s: Some(80), ..brief("e") },
    ];
    let mut order = Order::default();
    for expected in ["abcde", "edbac", "bcade", "cabde", "deabc"] {
        briefs.sort_by(|a, b| a.id.cmp(&b.id));
        order.sort(&mut briefs);
        let ids: String = briefs.iter().map(|brief| &*brief.id).collect();
        assert_eq!(ids, expected, "{order:?}");
        order = order.next();
    }
    assert_eq!(order, Order::Device);
    assert!(is_meant(&briefs[0], "DOOR online") && !is_meant(&briefs[0], "door refused"));
}
