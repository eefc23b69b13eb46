//! The data sets of a readout: a code, then values in brackets, each with its unit behind a star. Meters write several
//! sets in one line, and several values in one bracket with & between.

/// One value of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    pub code: &'a str,
    /// Which of the values of its set, the first is 1.
    pub value: usize,
    pub text: &'a str,
    pub unit: Option<&'a str>,
}

/// All values up to the end mark. What is no data set ends them.
pub fn data_sets(data: &str) -> Vec<Sent<'_>> {
    let mut all = Vec::new();
    let mut rest = data.trim_start();
    while let Some((code, behind)) = rest.split_once('(') {
        let code = code.trim();
        if code.starts_with('!') || code.contains([')', '\r', '\n']) {
            break;
        }
        let mut count = 0;
        rest = behind;
        loop {
            let Some((bracket, behind)) = rest.split_once(')') else { return all };
            for part in bracket.split('&') {
                count += 1;
                let (text, unit) = match part.split_once('*') {
                    Some((text, unit)) => (text.trim(), Some(unit.trim())),
                    None => (part.trim(), None),
                };
                all.push(Sent { code, value: count, text, unit });
            }
            rest = behind.trim_start();
            match rest.strip_prefix('(') {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_values_and_units_are_told_apart() {
        let sets = data_sets(
            "1.8.0(01.5*kWh)1.6.0(0.12*kW)(23-01-01 12:00)\r\n9.4(98.5*C&96.1*C)\r\n0.0( 12)\r\nC.1()\r\n!\r\n",
        );
        let shown: Vec<_> = sets.iter().map(|s| (s.code, s.value, s.text, s.unit.unwrap_or(""))).collect();
        assert_eq!(
            shown,
            [
                ("1.8.0", 1, "01.5", "kWh"),
                ("1.6.0", 1, "0.12", "kW"),
                ("1.6.0", 2, "23-01-01 12:00", ""),
                ("9.4", 1, "98.5", "C"),
                ("9.4", 2, "96.1", "C"),
                ("0.0", 1, "12", ""),
                ("C.1", 1, "", ""),
            ]
        );
        for cut in ["1.8.0(01.5", "1.8.0", "", "!", "(", ")(", "1.8.0)2.8.0(1)"] {
            let _ = data_sets(cut);
        }
    }
}
