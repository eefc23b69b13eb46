//! Chance that is the same each time: every value is a function of (seed, channel, place), so that a month
//! of history and the values of this second come from the same curve.

/// A bijective mix of 64 bits (the finaliser of splitmix64).
pub fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Evenly spread over -1.0 to 1.0.
pub fn chance(seed: u64, channel: u64, place: i64) -> f64 {
    let bits = mix(mix(seed ^ channel.wrapping_mul(0xd6e8_feb8_6659_fd93)) ^ place as u64) >> 11;
    bits as f64 / (1u64 << 52) as f64 - 1.0
}

/// A smooth curve through `chance` at each whole number of `x`: between -1.0 and 1.0, without a kink.
pub fn curve(seed: u64, channel: u64, x: f64) -> f64 {
    let cell = x.floor();
    let (a, b) = (chance(seed, channel, cell as i64), chance(seed, channel, cell as i64 + 1));
    a + (b - a) * ease(x - cell)
}

/// From 0 to 1 with level ends.
pub fn ease(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_even_and_repeats_itself() {
        let n = 10_000;
        let sum: f64 = (0..n).map(|i| chance(7, 3, i)).sum();
        assert!((sum / n as f64).abs() < 0.02, "mean {sum}");
        assert!((0..n).all(|i| (-1.0..=1.0).contains(&chance(7, 3, i))));
        assert!((chance(7, 3, 5) - chance(7, 3, 5)).abs() < f64::EPSILON);
        assert!((chance(7, 3, 5) - chance(8, 3, 5)).abs() > 1e-9);
    }

    #[test]
    fn a_curve_has_no_jumps() {
        let mut last = curve(1, 1, 0.0);
        for i in 1..10_000 {
            let v = curve(1, 1, f64::from(i) / 1000.0);
            assert!((v - last).abs() < 0.004, "jump at {i}");
            last = v;
        }
    }
}
