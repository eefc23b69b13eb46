// What was written into devices, by whom and why; what waits for a second person; the story of each.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Alert, Button } from "antd";

import { commandPagesQuery, devicesQuery, gatewaysQuery, type CommandWish } from "../../api/queries";
import { useI18n } from "../../i18n/i18n";
import { QueryState } from "../../parts/state";
import { EmptyPlace, PageHead, Panel } from "../../ui/page";
import { CommandRows } from "./command-parts";
import { StoryDrawer } from "./command-story";

export function CommandsPage() {
  const { t } = useI18n();
  const search = useSearch({ from: "/inside/commands" });
  const navigate = useNavigate();
  const { id, ...of } = search;
  return (
    <>
      <PageHead title={t("nav.commands")} sub={t("command.sub")} />
      <Filtered of={of} />
      <div className="st-grid">
        <Panel title={t("command.inbox")}>
          <List of={{ ...of, state: "awaiting_approval" }} label={t("command.inbox")} inbox />
        </Panel>
        <Panel title={t("command.all")}>
          <List of={of} label={t("command.all")} />
        </Panel>
      </div>
      <StoryDrawer id={id} close={() => void navigate({ to: "/commands", search: of })} />
    </>
  );
}

/** Says of whom, and leads back to all. */
function Filtered({ of }: { of: CommandWish }) {
  const { t, name } = useI18n();
  const navigate = useNavigate();
  const device = (useQuery(devicesQuery).data ?? []).find((d) => d.id === of.device);
  const gateway = (useQuery(gatewaysQuery).data ?? []).find((g) => g.id === of.gateway);
  const text = of.device
    ? t("command.filtered.device", { name: device ? name(device.title) || device.key : of.device })
    : of.gateway && t("command.filtered.gateway", { name: gateway?.name ?? of.gateway });
  if (!text) return null;
  return (
    <Alert
      className="st-gap"
      type="info"
      showIcon
      title={text}
      action={<Button onClick={() => void navigate({ to: "/commands" })}>{t("act.all")}</Button>}
    />
  );
}

function List({ of, label, inbox }: { of: CommandWish; label: string; inbox?: boolean }) {
  const { t } = useI18n();
  const commands = useInfiniteQuery(commandPagesQuery(of));
  return (
    <QueryState
      query={commands}
      isEmpty={({ pages }) => pages.every((page) => page.items.length === 0)}
      empty={
        inbox ? (
          <div className="st-panel-body st-quiet">{t("command.inbox.none")}</div>
        ) : (
          <EmptyPlace title={t("command.empty.title")} text={t("command.empty.text")} />
        )
      }
    >
      {({ pages }) => (
        <>
          <CommandRows label={label} items={pages.flatMap((page) => page.items)} />
          {commands.hasNextPage && (
            <div className="st-more">
              <Button loading={commands.isFetchingNextPage} onClick={() => void commands.fetchNextPage()}>
                {t("command.more")}
              </Button>
            </div>
          )}
        </>
      )}
    </QueryState>
  );
}
