//! Points that are reckoned of other points of the same device: an expression, or the total of a counter that goes on
//! through rollover and replacement. An expression is checked when the profile is read: what it names exists and is
//! measured, and its unit is the one that is stated. It is reckoned in SI units, so that inputs of different scale fit.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use exmex::{BinOp, Express, FlatEx, MakeOperators, Operator};

use super::definition::PointDef;
use crate::dimension::{Dimension, Measure, measure};

/// Characters of an expression: more than this is a program.
const MOST: usize = 200;

#[derive(Clone, Debug, PartialEq)]
pub enum Derived {
    Expression(Expression),
    /// Of the counter with this key.
    Total(String),
}

impl Derived {
    /// The keys of the points that it is made of.
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Expression(expression) => &expression.inputs,
            Self::Total(of) => std::slice::from_ref(of),
        }
    }
}

#[derive(Clone)]
pub struct Expression {
    pub text: String,
    /// In the order in which their values are handed in.
    inputs: Vec<String>,
    measures: Vec<Measure>,
    result: Measure,
    parsed: Arc<FlatEx<Quantity, Operators>>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("text", &self.text)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        let Self { text, inputs, measures, result, parsed: _ } = self;
        (text, inputs, measures, result) == (&other.text, &other.inputs, &other.measures, &other.result)
    }
}

/// What is wrong with an expression, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpressionFault(pub String, pub String);

fn fault<T>(message: impl Into<String>, way_out: impl Into<String>) -> Result<T, ExpressionFault> {
    Err(ExpressionFault(message.into(), way_out.into()))
}

impl Expression {
    /// `points`: the measured ones. `unit` is that of the result.
    pub(super) fn new(text: &str, unit: &str, points: &[PointDef]) -> Result<Self, ExpressionFault> {
        if text.len() > MOST {
            return fault(format!("an expression has at most {MOST} characters"), "make it shorter");
        }
        let parsed = match FlatEx::<Quantity, Operators>::parse(text) {
            Ok(parsed) => parsed,
            Err(e) => {
                let way_out = "write it like \"{active-power} / {apparent-power}\", with + - * / ^ ( ) and \
                               abs, sqrt, sin, cos, min(a, b), max(a, b)";
                return fault(format!("this is no expression: {e}"), way_out);
            }
        };
        let inputs = parsed.var_names().to_vec();
        if inputs.is_empty() {
            return fault(
                "an expression without points is a constant",
                "name points in braces, like {energy}",
            );
        }
        let mut measures = Vec::with_capacity(inputs.len());
        for key in &inputs {
            let Some(point) = points.iter().find(|point| point.key == *key) else {
                let nearest = crate::document::nearest(key, points.iter().map(|p| p.key.as_str()));
                let way_out = nearest.map_or("name a measured point in braces".to_owned(), |k| {
                    format!("did you mean {{{k}}}?")
                });
                return fault(format!("there is no measured point {key}"), way_out);
            };
            match measure(&point.unit).filter(|_| point.is_number()) {
                Some(measure) => measures.push(measure),
                None => return fault(format!("{key} is no number"), "take gauges and counters"),
            }
        }
        let Some(result) = measure(unit) else {
            return fault(format!("nothing can be reckoned in {unit}"), "state another unit");
        };
        let expression = Self { text: text.to_owned(), inputs, measures, result, parsed: Arc::new(parsed) };
        expression.check(unit)?;
        Ok(expression)
    }

    fn check(&self, unit: &str) -> Result<(), ExpressionFault> {
        let at = |kelvin: f64| {
            let input = |m: &Measure| {
                let value = if m.dimension == Dimension::TEMPERATURE { kelvin } else { 1.0 };
                Quantity { value, dimension: Ok(m.dimension), is_literal: false }
            };
            self.reckon(&self.measures.iter().map(input).collect::<Vec<_>>())
        };
        let Some((cool, warm)) = at(300.0).zip(at(301.0)) else {
            return fault("this cannot be reckoned", "write it another way");
        };
        match cool.dimension {
            Err(Mismatch(what)) => fault(what, "check the units of the points that it names"),
            Ok(dimension) if dimension != self.result.dimension => fault(
                format!("the expression does not give {unit}"),
                "state the unit that it gives, or correct the expression",
            ),
            // A difference does not move when all temperatures do.
            Ok(_) if self.result.shift != 0.0 && (warm.value - cool.value).abs() < 1e-6 => {
                fault(format!("a difference of temperatures is not so many {unit}"), "state unit = \"K\"")
            }
            Ok(_) => Ok(()),
        }
    }

    /// The value of the inputs' values, each in its own unit and in the order of `inputs`. None where there is none, as
    /// of a division by zero.
    pub fn value(&self, inputs: &[f64]) -> Option<f64> {
        let quantities: Vec<Quantity> = inputs
            .iter()
            .zip(&self.measures)
            .map(|(value, m)| Quantity {
                value: value * m.factor + m.shift,
                dimension: Ok(m.dimension),
                is_literal: false,
            })
            .collect();
        let value = self.reckon(&quantities)?.value;
        let value = tidy((value - self.result.shift) / self.result.factor);
        value.is_finite().then_some(value)
    }

    fn reckon(&self, inputs: &[Quantity]) -> Option<Quantity> {
        self.parsed.eval(inputs).ok()
    }
}

/// Twelve digits: the rest comes of going to SI units and back.
fn tidy(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// A number with what it measures.
#[derive(Clone, Debug)]
struct Quantity {
    value: f64,
    dimension: Result<Dimension, Mismatch>,
    /// Written in the expression: its value is known when the dimension is asked for.
    is_literal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mismatch(&'static str);

const SUM: Mismatch = Mismatch("things that measure something different are added, subtracted or compared");
const PRODUCT: Mismatch = Mismatch("these units have no product");
const POWER: Mismatch = Mismatch("a unit has no such power");
const PURE: Mismatch = Mismatch("this function wants an angle or a pure number");

impl Default for Quantity {
    fn default() -> Self {
        Self { value: 0.0, dimension: Ok(Dimension::NONE), is_literal: true }
    }
}

impl FromStr for Quantity {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { value: text.parse()?, ..Self::default() })
    }
}

impl Quantity {
    fn same(self, other: &Self, reckon: fn(f64, f64) -> f64) -> Self {
        let dimension = match (self.dimension, &other.dimension) {
            (Ok(a), Ok(b)) if a == *b => Ok(a),
            (Ok(_), Ok(_)) => Err(SUM),
            (Err(e), _) => Err(e),
            (_, Err(e)) => Err(e.clone()),
        };
        let is_literal = self.is_literal && other.is_literal;
        Self { value: reckon(self.value, other.value), dimension, is_literal }
    }

    fn product(
        self,
        other: &Self,
        reckon: fn(f64, f64) -> f64,
        combine: fn(Dimension, Dimension) -> Option<Dimension>,
    ) -> Self {
        let dimension =
            self.dimension.and_then(|a| other.dimension.clone().and_then(|b| combine(a, b).ok_or(PRODUCT)));
        let is_literal = self.is_literal && other.is_literal;
        Self { value: reckon(self.value, other.value), dimension, is_literal }
    }

    fn power(self, exponent: &Self) -> Self {
        let dimension = self.dimension.and_then(|base| match exponent.dimension.clone()? {
            Dimension::NONE if exponent.is_literal || base == Dimension::NONE => {
                base.to_the(exponent.value).ok_or(POWER)
            }
            _ => Err(POWER),
        });
        let is_literal = self.is_literal && exponent.is_literal;
        Self { value: self.value.powf(exponent.value), dimension, is_literal }
    }

    fn pure(self, reckon: fn(f64) -> f64) -> Self {
        let dimension = self.dimension.and_then(|d| if d == Dimension::NONE { Ok(d) } else { Err(PURE) });
        Self { value: reckon(self.value), dimension, ..self }
    }

    fn map(self, reckon: fn(f64) -> f64) -> Self {
        Self { value: reckon(self.value), ..self }
    }
}

#[derive(Clone, Debug)]
struct Operators;

impl MakeOperators<Quantity> for Operators {
    fn make<'a>() -> Vec<Operator<'a, Quantity>> {
        let bin = |apply: fn(Quantity, Quantity) -> Quantity, prio, is_commutative| BinOp {
            apply,
            prio,
            is_commutative,
        };
        vec![
            Operator::make_bin("^", bin(|a, b| a.power(&b), 4, false)),
            Operator::make_bin("*", bin(|a, b| a.product(&b, |x, y| x * y, Dimension::times), 2, true)),
            Operator::make_bin("/", bin(|a, b| a.product(&b, |x, y| x / y, Dimension::over), 3, false)),
            Operator::make_bin_unary("+", bin(|a, b| a.same(&b, |x, y| x + y), 0, true), |a| a),
            Operator::make_bin_unary("-", bin(|a, b| a.same(&b, |x, y| x - y), 1, false), |a| a.map(|x| -x)),
            Operator::make_bin("min", bin(|a, b| a.same(&b, f64::min), 5, true)),
            Operator::make_bin("max", bin(|a, b| a.same(&b, f64::max), 5, true)),
            Operator::make_unary("abs", |a| a.map(f64::abs)),
            Operator::make_unary("sqrt", |a| a.power(&Quantity { value: 0.5, ..Quantity::default() })),
            Operator::make_unary("sin", |a| a.pure(f64::sin)),
            Operator::make_unary("cos", |a| a.pure(f64::cos)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{PeriodClass, Profile};

    fn profile(derived: &str) -> Result<Profile, String> {
        let point = |key: &str, unit: &str, rest: &str| {
            format!(
                "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\ntable = \"holding\"\naddress = 0\n\
                 type = \"u16\"\nunit = \"{unit}\"\n{rest}\n"
            )
        };
        let text = format!(
            "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n{}{}{}{}{}{}{}\
             [[point]]\nkey = \"derived\"\ntitle = {{ zh = \"算\", en = \"D\" }}\n{derived}\n",
            point("p", "kW", "class = \"fast\""),
            point("q", "var", ""),
            point("s", "kV.A", ""),
            point("supply", "Cel", ""),
            point("return", "Cel", ""),
            point("flow", "m3/h", ""),
            point("energy", "kW.h", "kind = \"counter\""),
        );
        Profile::parse("a/m.toml", &text)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn value(text: &str, unit: &str, inputs: &[(&str, f64)]) -> Option<f64> {
        let profile = profile(&format!("expression = \"{text}\"\nunit = \"{unit}\"")).unwrap();
        let Some(Derived::Expression(expression)) = profile.point("derived").unwrap().derived() else {
            panic!("{text} is not derived")
        };
        let of = |key: &String| inputs.iter().find(|(k, _)| k == key).map(|(_, v)| *v).unwrap();
        expression.value(&expression.inputs.iter().map(of).collect::<Vec<_>>())
    }

    #[test]
    fn inputs_of_different_scale_add_up_to_what_is_meant() {
        assert_eq!(value("sqrt({p}^2 + {q}^2)", "kV.A", &[("p", 3.0), ("q", 4000.0)]), Some(5.0));
        assert_eq!(value("{p} / {s}", "1", &[("p", 45.0), ("s", 50.0)]), Some(0.9));
        assert_eq!(value("{p} / {s}", "%", &[("p", 45.0), ("s", 50.0)]), Some(90.0));
        assert_eq!(value("min({p}, {s}) - max({p}, {s})", "W", &[("p", 2.0), ("s", 3.0)]), Some(-1000.0));
        assert_eq!(value("-2 * abs({p}) + {p} / 4", "kW", &[("p", -8.0)]), Some(-18.0));
    }

    #[test]
    fn temperatures_are_reckoned_as_such_and_their_differences_as_kelvin() {
        let inputs = [("supply", 7.0), ("return", 12.5)];
        assert_eq!(value("{return} - {supply}", "K", &inputs), Some(5.5));
        assert_eq!(value("({return} + {supply}) / 2", "Cel", &inputs), Some(9.75));
        let told = profile("expression = \"{return} - {supply}\"\nunit = \"Cel\"").unwrap_err();
        assert!(told.contains("state unit = \"K\""), "{told}");
    }

    #[test]
    fn a_division_by_zero_has_no_value() {
        assert_eq!(value("{p} / {s}", "1", &[("p", 45.0), ("s", 0.0)]), None);
        assert_eq!(value("{p} / {s}", "1", &[("p", 0.0), ("s", 0.0)]), None);
        assert_eq!(
            value("sqrt({p} - {s}) ^ 2", "W", &[("p", 0.0), ("s", 1.0)]),
            None,
            "nor has a root of less"
        );
    }

    #[test]
    fn units_that_do_not_fit_are_told_with_the_way_out() {
        let told = |text: &str, unit: &str| {
            let told = profile(&format!("expression = \"{text}\"\nunit = \"{unit}\"")).unwrap_err();
            assert_eq!(told.lines().count(), 1, "{told}");
            told
        };
        assert!(told("{p} + {energy}", "kW").contains("measure something different are added"));
        assert!(told("{p} + 1", "kW").contains("measure something different are added"));
        assert!(told("{p} * {flow}", "kW").contains("does not give kW"));
        assert!(told("sin({p})", "1").contains("wants an angle"));
        assert!(told("2 ^ {p}", "1").contains("no such power"));
        assert!(told("{p} / {apparent}", "1").contains("there is no measured point apparent"));
        assert!(told("{p} +", "kW").contains("this is no expression"));
        assert!(told("1 + 1", "1").contains("is a constant"));
    }

    #[test]
    fn a_derived_point_is_reckoned_as_often_as_the_slowest_that_it_is_made_of() {
        let profile = profile("expression = \"{p} - {q}\"\nunit = \"kW\"\nmin = 0").unwrap();
        let point = profile.point("derived").unwrap();
        assert_eq!((point.class, point.rules.min, point.register()), (PeriodClass::Normal, Some(0.0), None));
    }

    #[test]
    fn a_total_is_of_a_counter_and_in_its_unit() {
        let good = profile("total_of = \"energy\"").unwrap();
        let point = good.point("derived").unwrap();
        assert_eq!((point.derived(), point.unit.as_str()), (Some(&Derived::Total("energy".into())), "kW.h"));
        assert!(profile("total_of = \"p\"").unwrap_err().contains("p is no counter"));
        assert!(profile("total_of = \"energy\"\naddress = 4").unwrap_err().contains("address"));
        assert!(
            profile("total_of = \"energy\"\nexpression = \"{p}\"").unwrap_err().contains("one of the two")
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_an_expression_or_a_fault(text in "[{}a-z0-9+*/^(). -]{0,40}") {
            let _ = profile(&format!("expression = \"{text}\"\nunit = \"kW\""));
        }
    }
}
