//! What `orders` says.

use steward_protocols::modbus::orders::Why;

use super::{Lang, texts};

texts! {
    head(name: &str, shown: &str) zh("{name}，显示 {shown}：") en("{name}, shown as {shown}:")
    none() zh("  没有哪种读法得出它") en("  no way of reading gives it")
    nothing_agrees()
        zh("没有一个显示值对得上；检查地址范围，或换一个 --table")
        en("none of the shown values was found; check the range of addresses, or take another --table")
    paste() zh("# 可粘贴到设备档案：") en("# To paste into a profile:")
    not_shown(given: &str)
        zh("“{given}”不是显示值；写成 230.4V、power=1.52kW 或 49.98")
        en("\"{given}\" is no shown value; write it like 230.4V, power=1.52kW or 49.98")
    zero(given: &str)
        zh("“{given}”是零，到处都对得上；请等它不为零时再试") en("\"{given}\" is zero, which agrees everywhere; wait until it is not")
    no_unit(symbol: &str) zh("不认识单位“{symbol}”") en("the unit \"{symbol}\" is not known")
    no_unit_but(symbol: &str, meant: &str)
        zh("不认识单位“{symbol}”；是不是 {meant}？") en("the unit \"{symbol}\" is not known; did you mean {meant}?")
    two_units(given: &str)
        zh("“{given}”里的“度”可以是 °C，也可以是 kWh；请写 23.5°C 或 23.5kWh")
        en("\"{given}\": 度 may be °C or kWh; write 23.5°C or 23.5kWh")
    no_registers(given: &str)
        zh("“{given}”不是寄存器内容；每个寄存器写四位十六进制，如 4366 3334")
        en("\"{given}\" is no content of registers; write four hexadecimal digits each, like 4366 3334")
    from_where()
        zh("请写寄存器从哪里来：--device 设备、--line 线路或 --words 内容")
        en("say where the registers come from: --device, --line or --words")
    not_modbus() zh("这台设备不用 Modbus，没有寄存器") en("this device speaks no Modbus: it has no registers")
    sampled(done: u32, all: u32) zh("已取样 {done}/{all}") en("sample {done} of {all}")
}

pub fn why(lang: Lang, why: Why) -> &'static str {
    let (zh, en) = match why {
        Why::Digits => ("与显示一致", "the display's digits"),
        Why::Near => ("接近显示值", "near the display"),
        Why::Together => ("与其他值同一读法", "as other values"),
        Why::Power => ("符合 V·I·PF≈P", "V·I·PF≈P"),
        Why::Steady => ("多次取样合理", "plausible in every sample"),
        Why::Unsteady => ("多次取样不合理", "not plausible in every sample"),
    };
    lang.pick(zh, en)
}
