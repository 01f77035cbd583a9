//! The label of a box: a QR code with its ID and the thumbprint of its certificate, for paper (SVG) and for label printers (ZPL).

use std::fmt::Write as _;

use anyhow::{Context, anyhow};
use qrcode::{Color, EcLevel, QrCode};

/// Empty modules around a code, as its standard wants them.
const QUIET: usize = 4;
/// Height of the lines of text, in modules.
const LINE: usize = 5;

/// What is on it.
pub(super) struct Label<'a> {
    pub(super) id: &'a str,
    /// SHA-256, in hexadecimal.
    pub(super) thumbprint: &'a str,
}

impl Label<'_> {
    /// What a scanner reads: ID, a blank, thumbprint.
    fn content(&self) -> String {
        format!("{} {}", self.id, self.thumbprint)
    }

    /// The thumbprint in two halves.
    fn halves(&self) -> (&str, &str) {
        self.thumbprint.split_at_checked(self.thumbprint.len() / 2).unwrap_or((self.thumbprint, ""))
    }

    /// A drawing of modules and three lines of text, in any size.
    pub(super) fn svg(&self) -> anyhow::Result<String> {
        let code = QrCode::with_error_correction_level(self.content(), EcLevel::M);
        let code = code.map_err(|why| anyhow!("{why}")).context("the QR code can't be made")?;
        let (width, colors) = (code.width(), code.to_colors());
        let side = width + 2 * QUIET;
        let height = side + 3 * LINE + 2;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {height}\" width=\"{side}mm\" height=\"{height}mm\" \
             shape-rendering=\"crispEdges\">\n<rect width=\"{side}\" height=\"{height}\" fill=\"#fff\"/>\n<path d=\""
        );
        for (row, modules) in colors.chunks(width).enumerate() {
            let mut column = 0;
            while column < width {
                let run = modules[column..].iter().take_while(|module| **module == Color::Dark).count();
                if run > 0 {
                    let _ = write!(svg, "M{} {}h{run}v1h-{run}z", column + QUIET, row + QUIET);
                }
                column += run.max(1);
            }
        }
        svg += "\"/>\n";
        let (first, second) = self.halves();
        for (index, text) in [self.id, first, second].into_iter().enumerate() {
            let y = side + (index + 1) * LINE - 1;
            let length = side - 2 * QUIET;
            // A long line is drawn narrower.
            let fit = if text.len() > 18 {
                format!(" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\"")
            } else {
                String::new()
            };
            let _ = writeln!(
                svg,
                "<text x=\"{QUIET}\" y=\"{y}\" font-family=\"monospace\" font-size=\"4\"{fit}>{text}</text>"
            );
        }
        Ok(svg + "</svg>\n")
    }

    /// For printers of Zebra's language: 50 by 30 mm at 203 dots an inch. IDs and thumbprints have none of its signs.
    pub(super) fn zpl(&self) -> String {
        let (first, second) = self.halves();
        format!(
            "^XA\n^CI28\n^PW400\n^LL240\n^FO16,16^BQN,2,3^FDMA,{}^FS\n^FO180,24^A0N,26,20^FB210,3,0,L^FD{}^FS\n^FO16,196^A0N,16,14^FD{first}^FS\n\
             ^FO16,214^A0N,16,14^FD{second}^FS\n^XZ\n",
            self.content(),
            self.id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_fits() {
        let (id, thumbprint) = ("x".repeat(64), "0".repeat(64));
        let label = Label { id: &id, thumbprint: &thumbprint };
        let svg = label.svg().unwrap();
        assert!(svg.contains(&format!(">{id}</text>")) && svg.ends_with("</svg>\n"), "{svg}");
        assert!(label.zpl().contains(&format!("^FDMA,{id} {thumbprint}^FS")));
    }
}
