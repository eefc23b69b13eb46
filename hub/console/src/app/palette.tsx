// Ctrl+K: one box that leads to every page, gateway, device and point.
import { SearchOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Input, Modal } from "antd";
import { useDeferredValue, useEffect, useId, useState } from "react";

import { devicesQuery, gatewaysQuery, pointSearchQuery } from "../api/queries";
import { useI18n, type PlainKey } from "../i18n/i18n";
import { matches } from "../format/match";
import { isDrawable } from "../format/value";
import { gatewayState } from "../parts/marks";

interface Hit {
  id: string;
  kind: PlainKey;
  text: string;
  side?: string;
  go: () => Promise<void>;
}

const MOST = 8;

export function Palette({ open, close }: { open: boolean; close: () => void }) {
  const { t } = useI18n();
  return (
    <Modal
      open={open}
      onCancel={close}
      footer={null}
      closable={false}
      destroyOnHidden
      title={null}
      width={600}
    >
      <h2 className="st-hidden">{t("shell.search")}</h2>
      {open && <Box close={close} />}
    </Modal>
  );
}

function Box({ close }: { close: () => void }) {
  const { t, name } = useI18n();
  const navigate = useNavigate();
  const list = useId();
  const [q, setQ] = useState("");
  const [chosen, setChosen] = useState(0);
  const asked = useDeferredValue(q.trim());
  const gateways = useQuery(gatewaysQuery).data ?? [];
  const devices = useQuery(devicesQuery).data ?? [];
  const points = useQuery(pointSearchQuery(asked)).data ?? [];

  const pages: [
    PlainKey,
    "/" | "/devices" | "/chart" | "/commands" | "/gateways" | "/sites" | "/users" | "/about",
  ][] = [
    ["nav.overview", "/"],
    ["nav.devices", "/devices"],
    ["nav.chart", "/chart"],
    ["nav.commands", "/commands"],
    ["nav.gateways", "/gateways"],
    ["nav.sites", "/sites"],
    ["nav.users", "/users"],
    ["nav.about", "/about"],
  ];
  const hits: Hit[] = [
    ...devices
      .filter((d) => matches(asked, d.title.zh, d.title.en, d.key, d.place, d.model))
      .slice(0, MOST)
      .map((d) => ({
        id: `d${d.id}`,
        kind: "kind.device" as const,
        text: name(d.title),
        side: d.place,
        go: () => navigate({ to: "/devices/$id", params: { id: d.id } }),
      })),
    ...(asked === "" ? [] : points.slice(0, MOST)).map((p) => {
      const device = devices.find((d) => d.id === p.device);
      return {
        id: `p${p.id}`,
        kind: "kind.point" as const,
        text: name(p.title) || p.key,
        ...(device ? { side: name(device.title) } : {}),
        go: () =>
          isDrawable(p.kind)
            ? navigate({ to: "/chart", search: { points: String(p.id) } })
            : navigate({ to: "/devices/$id", params: { id: p.device } }),
      };
    }),
    ...gateways
      .filter((g) => matches(asked, g.name))
      .slice(0, MOST)
      .map((g) => ({
        id: `g${g.id}`,
        kind: "kind.gateway" as const,
        text: g.name,
        side: t(`gateway.state.${gatewayState(g.state)}`),
        go: () => navigate({ to: "/gateways/$id", params: { id: g.id } }),
      })),
    ...pages
      .filter(([key]) => matches(asked, t(key)))
      .map(([key, to]) => ({ id: to, kind: "kind.page" as const, text: t(key), go: () => navigate({ to }) })),
  ];
  const at = Math.min(chosen, hits.length - 1);

  useEffect(() => {
    document.getElementById(`${list}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at, list]);

  const take = (hit: Hit | undefined) => {
    if (!hit) return;
    close();
    void hit.go();
  };
  return (
    <>
      <Input
        autoFocus
        size="large"
        prefix={<SearchOutlined />}
        placeholder={t("palette.placeholder")}
        aria-label={t("shell.search")}
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
        value={q}
        onChange={(event) => {
          setQ(event.target.value);
          setChosen(0);
        }}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "ArrowDown") setChosen(Math.min(at + 1, hits.length - 1));
          else if (event.key === "ArrowUp") setChosen(Math.max(at - 1, 0));
          else if (event.key === "Enter") take(hits[at]);
          else return;
          event.preventDefault();
        }}
      />
      <div className="st-palette-list" role="listbox" id={list} aria-label={t("palette.results")}>
        {hits.map((hit, i) => (
          <div
            key={hit.id}
            id={`${list}-${i}`}
            role="option"
            aria-selected={i === at}
            className="st-palette-item"
            onMouseMove={() => setChosen(i)}
            onClick={() => take(hit)}
          >
            <span className="st-palette-kind">{t(hit.kind)}</span>
            <span className="st-list-main st-ellipsis">{hit.text}</span>
            <span className="st-quiet st-small st-ellipsis">{hit.side}</span>
          </div>
        ))}
      </div>
      {hits.length === 0 && <p className="st-quiet">{t("palette.nothing", { q: asked })}</p>}
    </>
  );
}
