import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { App } from "antd";
import { beforeEach, expect, it, vi } from "vitest";

import { keys } from "../../api/queries";
import type { ConfigCheck, Configuration, ConfigVersion, Gateway, Role, Session } from "../../api/types";
import { I18nContext, makeI18n } from "../../i18n/i18n";
import { ConfigurationPanel } from "./configuration";

const post = vi.hoisted(() => vi.fn());
vi.mock("../../api/client", () => ({
  api: { POST: post, GET: () => new Promise(() => undefined) },
  take: (call: Promise<unknown>) => call,
}));
beforeEach(() => post.mockReset());

const at = "2026-01-01T00:00:00Z";
const SITE = '[gateway]\nname = "east"\n';
const configuration: Configuration = {
  open: true,
  text: SITE,
  digest: "d1",
  version: null,
  told_at: at,
  online: true,
};
const version = (n: number, more: Partial<ConfigVersion>): ConfigVersion => ({
  version: n,
  author: "li",
  why: "WO-1",
  created_at: at,
  state: "kept",
  reason: null,
  detail: "",
  faults: [],
  changed_at: at,
  ...more,
});

function show(
  language: "zh" | "en",
  role: Role,
  told: Configuration = configuration,
  versions: ConfigVersion[] = [],
) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  client.setQueryData(keys.session, { user: { user: "li", role } } as unknown as Session);
  client.setQueryData(keys.configuration("g"), told);
  client.setQueryData([...keys.configuration("g"), "versions"], {
    pages: [{ items: versions, next: null }],
    pageParams: [undefined],
  });
  client.setQueryData([...keys.configuration("g"), "past"], [{ digest: "d0", told_at: at }]);
  client.setQueryData([...keys.configuration("g"), "past", "d0"], { text: "# former\n", changes: [] });
  const view = render(
    <I18nContext value={makeI18n(language)}>
      <QueryClientProvider client={client}>
        <App>
          <ConfigurationPanel gateway={{ id: "g", name: "east", enrolled_at: at } as Gateway} />
        </App>
      </QueryClientProvider>
    </I18nContext>,
  );
  return { client, ...view };
}

const open = async (act = "Look and change") => {
  await userEvent.click(screen.getByRole("button", { name: act }));
  return screen.findByRole("textbox", { name: /TOML/ });
};

it("who may not change it is not told it", () => {
  expect(show("en", "viewer").container.textContent).toBe("");
});

it("the versions are told with what became of them, in Chinese", () => {
  show("zh", "engineer", { ...configuration, version: 1 }, [
    version(2, { state: "taken_back", reason: "hub_not_reached" }),
    version(1, {}),
  ]);
  expect(screen.getByText("服务器下发的第 1 版")).toBeTruthy();
  expect(screen.getByText("采用后连不上服务器，已自动退回")).toBeTruthy();
  expect(screen.getByText("已采用")).toBeTruthy();
});

it("what has faults is not sent, and each fault leads to its line", async () => {
  const found: ConfigCheck = {
    faults: [
      {
        line: 2,
        column: 1,
        path: "gateway.nme",
        message: { zh: "没有这个键", en: "this key is not known" },
        way_out: { zh: "是不是 name？", en: "did you mean name?" },
      },
    ],
    changes: [],
    lines: [],
  };
  post.mockResolvedValue(found);
  show("en", "engineer");
  const field = (await open()) as HTMLTextAreaElement;
  await userEvent.type(field, "x");
  await userEvent.click(screen.getByRole("button", { name: "Let the gateway check it" }));
  expect(await screen.findByText(/this key is not known/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Send" })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "line 2" }));
  expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe('name = "east"');
});

it("what the gateway would take is shown setting by setting and sent with a reason, and only as it was checked", async () => {
  const found: ConfigCheck = {
    faults: [],
    changes: [{ path: "gateway.name", before: '"east"', after: '"west"' }],
    lines: [],
  };
  post.mockResolvedValueOnce(found).mockResolvedValueOnce(found).mockResolvedValueOnce(version(1, {}));
  show("en", "engineer");
  const field = await open();
  await userEvent.type(field, "# a");
  const check = () => userEvent.click(screen.getByRole("button", { name: "Let the gateway check it" }));
  await check();
  expect(await screen.findByText("gateway.name")).toBeTruthy();
  await userEvent.type(field, "b");
  expect(screen.queryByRole("button", { name: "Send" })).toBeNull();
  await check();
  const send = await screen.findByRole("button", { name: "Send" });
  expect((send as HTMLButtonElement).disabled).toBe(true);
  await userEvent.type(screen.getByRole("textbox", { name: "Why" }), "WO-7");
  await userEvent.click(send);
  await waitFor(() =>
    expect(post).toHaveBeenLastCalledWith("/api/v1/gateways/{id}/configuration/versions", {
      params: { path: { id: "g" } },
      body: { base: "d1", text: `${SITE}# ab`, why: "WO-7" },
    }),
  );
});

it("a form changes the text, and empties a setting where it is left out", async () => {
  const settings = [
    { path: ["gateway", "name"], value: '"east"' },
    { path: ["line", "chw", "device", "m 1", "name"], value: '"m 1"' },
    { path: ["line", "chw", "device", "m 1", "place"], value: '"B1"' },
  ];
  const route = "/api/v1/configuration/settings";
  post.mockResolvedValueOnce({ text: SITE, settings }).mockResolvedValueOnce({ text: "changed", settings });
  show("en", "engineer");
  const field = (await open()) as HTMLTextAreaElement;
  await userEvent.click(screen.getByRole("button", { name: "Change common settings by form" }));
  await userEvent.click(await screen.findByRole("combobox", { name: "Whose settings" }));
  await userEvent.click(await screen.findByTitle("m 1 (chw)"));
  const place = (await screen.findByRole("textbox", { name: "Place" })) as HTMLInputElement;
  expect(place.value).toBe("B1");
  await userEvent.clear(place);
  await userEvent.tab();
  const set = { path: ["line", "chw", "device", "m 1", "place"], value: null };
  await waitFor(() => expect(post).toHaveBeenLastCalledWith(route, { body: { text: SITE, set } }));
  await waitFor(() => expect(field.value).toBe("changed"));
});

it("a configuration that changed meanwhile is not overwritten", async () => {
  const { client } = show("zh", "engineer");
  const field = (await open("查看和修改")) as HTMLTextAreaElement;
  await userEvent.type(field, "# mine");
  client.setQueryData(keys.configuration("g"), { ...configuration, digest: "d2", text: "# on site\n" });
  expect(await screen.findByText("网关的配置刚刚变了")).toBeTruthy();
  expect(field.value).toContain("# mine");
  await userEvent.click(screen.getByRole("button", { name: "以现在的配置重新开始" }));
  expect(field.value).toBe("# on site\n");
});

it("a former file on site is where a gateway that replaces another goes on from", async () => {
  show("en", "engineer");
  await userEvent.click(screen.getByRole("button", { name: "Look" }));
  await userEvent.click(await screen.findByRole("button", { name: "Change it from this file" }));
  const field = (await screen.findByRole("textbox", { name: /TOML/ })) as HTMLTextAreaElement;
  expect(field.value).toBe("# former\n");
});

it("where the gateway's file does not allow it the text is shown with the way out", async () => {
  show("en", "engineer", { ...configuration, open: false });
  await open();
  expect(screen.getAllByText(/writes configure = true/).length).toBeGreaterThan(0);
  expect(screen.queryByRole("button", { name: "Let the gateway check it" })).toBeNull();
});

it("a change of many lines may be tried on one of them first", async () => {
  const lines =
    '[[line]]\nname = "chw"\n[[line.device]]\nname = "m"\n[[line]]\nkind = "tcp"\nname = "pumps"\n';
  post
    .mockResolvedValueOnce({ faults: [], changes: [], lines: ["chw", "pumps"] })
    .mockResolvedValueOnce(version(1, {}));
  show("en", "engineer", { ...configuration, text: SITE + lines });
  await userEvent.type(await open(), "#");
  await userEvent.click(screen.getByRole("button", { name: "Let the gateway check it" }));
  await userEvent.type(await screen.findByRole("textbox", { name: "Why" }), "WO-7");
  await userEvent.click(screen.getByRole("combobox", { name: "On which line first" }));
  expect(screen.queryByTitle("m")).toBeNull();
  await userEvent.click(await screen.findByTitle("pumps"));
  await userEvent.click(screen.getByRole("button", { name: "Send" }));
  await waitFor(() =>
    expect(post).toHaveBeenLastCalledWith(
      "/api/v1/gateways/{id}/configuration/versions",
      expect.objectContaining({ body: expect.objectContaining({ first_line: "pumps" }) as unknown }),
    ),
  );
});
