#!/usr/bin/env python3
"""Makes mbus.txt: telegrams of real meters that the libmbus project has collected, and what libmbus itself reads in them.
Our own decoder has no part in it.

    git clone https://github.com/rscada/libmbus /tmp/libmbus
    edge/protocols/frames/mbus.py /tmp/libmbus/test/test-frames > edge/protocols/frames/mbus.txt
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

QUANTITIES = {
    ("Energy", "Wh"): "Energy W.h", ("Energy", "J"): "Energy J", ("Volume", "m^3"): "Volume m3", ("Power", "W"): "Power W",
    ("Volume flow", "m^3/h"): "VolumeFlow m3/h", ("Return temperature", "°C"): "ReturnTemperature Cel",
    ("Flow temperature", "°C"): "FlowTemperature Cel", ("Temperature difference", "K"): "TemperatureDifference K",
    ("External temperature", "°C"): "ExternalTemperature Cel", ("Voltage", "V"): "Voltage V", ("Current", "A"): "Current A",
    ("Operating time", "s"): "OperatingTime s", ("On time", "s"): "OnTime s",
    ("Time point (date)", "-"): "Date -", ("Time point (date & time)", "-"): "DateTime -",
}
FUNCTIONS = {"Instantaneous value": "Instantaneous", "Maximum value": "Maximum", "Minimum value": "Minimum",
             "Value during error state": "Error"}
# One of each maker and kind; the others repeat them.
FRAMES = """ACW_Itron-BM-plus-m EFE_Engelmann-Elster-SensoStar-2 ELS_Elster-F96-Plus ELV-Elvaco-CMa10
 EMU_EMU-Professional-375-M-Bus FIN-Finder-7E.23.8.230.0020 GWF-MTKcoder LGB_G350 SBC_Saia-Burgess-ALE3 SEN_Pollustat
 SLB_CF-Compact-Integral-MK-MaXX abb_delta allmess_cf50 amt_calec_mb berg_dz_plus els_falcon emh_diz
 example_binary16_lvar filler gmc_emmod206 itron_cf_51 itron_cyble_m-bus_v1.4_gas kamstrup_382_005 kamstrup_multical_601
 landis+gyr_ultraheat_t230 metrona_pollutherm metrona_ultraheat_xs minol_minocal_c2 minol_minocal_wr3 nzr_dhz_5_63
 oms_frame1 ram_modularis rel_padpuls3 siemens_rvd235 siemens_water siemens_wfh21 sontex_supercal_531_telegram1
 svm_f22_telegram1 tch_telegramm1 tecson""".split()


def main(folder, *names):
    print("# Golden M-Bus telegrams of real meters, from the tests of github.com/rscada/libmbus (commit f09d613), and what")
    print("# libmbus reads in them. Made by mbus.py. # name, then < telegram, @ identity, = record: function, storage,")
    print("# tariff, subunit, quantity, unit, value.")
    for name in names or FRAMES:
        data = bytes.fromhex(pathlib.Path(folder, name + ".hex").read_text())
        tree = xml.fromstring(pathlib.Path(folder, name + ".norm.xml").read_bytes())
        head = tree.find("SlaveInformation")
        print(f"\n# {name}\n< {data.hex(' ').upper()}")
        print(f"@ {head.findtext('Id'):0>8} {head.findtext('Manufacturer')} {head.findtext('Version')}")
        for record in tree.findall("DataRecord"):
            text = lambda tag: (record.findtext(tag) or "").strip()
            quantity = QUANTITIES.get((text("Quantity"), text("Unit")))
            function = FUNCTIONS.get(text("Function"))
            if quantity and function and text("Value"):
                places = [text(tag) or "0" for tag in ("StorageNumber", "Tariff", "Device")]
                print("=", function, *places, quantity, text("Value"))


if __name__ == "__main__":
    main(*sys.argv[1:])
