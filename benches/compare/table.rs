//! Markdown tables.

/// Which side a column's text keeps to.
#[derive(Clone, Copy, Debug)]
pub enum Align {
    /// Text.
    Left,
    /// Figures.
    Right,
}

/// One Markdown table.
pub fn render(header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = header.iter().map(|(title, _)| (*title).to_owned()).collect();
    let rule: Vec<String> = header
        .iter()
        .map(|(_, align)| match align {
            Align::Left => ":--".to_owned(),
            Align::Right => "--:".to_owned(),
        })
        .collect();
    let lines: Vec<String> = [&titles, &rule].into_iter().chain(rows).map(|row| line(row)).collect();
    lines.join("\n")
}

/// The second of two figures as a multiple of the first.
pub fn ratio(sides: &[f64]) -> String {
    match sides {
        [first, second] if *first > 0.0 => format!("{:.2}", second / first),
        _ => "–".to_owned(),
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
