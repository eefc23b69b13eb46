//! Medians, and numbers as people read them.

/// The middle one; of an even number, the lower of the two.
pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The value that the share `p` of all does not exceed.
pub fn quantile(mut all: Vec<f64>, p: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    let at = (p * all.len() as f64).ceil() as usize;
    all.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// `9 993`, `1 240 000`: three digits that count, grouped.
pub fn grouped(number: f64) -> String {
    let digits = number.abs().max(1.0).log10().floor() as i32;
    let unit = 10_f64.powi((digits - 3).max(0));
    let text = format!("{:.0}", (number / unit).round() * unit);
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i > 0 && (text.len() - i) % 3 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

pub fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
