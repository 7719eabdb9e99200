// Menus without a single entry are gone.
"use strict";

export function hideEmptyMenus(app, gone) {
  for (const bar of app.shell.widgets("menu")) {
    for (const menu of [...(bar.menus ?? [])]) {
      if (gone.includes(menu.id)) bar.removeMenu(menu);
      else dropEmptySubmenus(app.commands, menu);
    }
  }
}

function dropEmptySubmenus(commands, menu) {
  const hasEntries = (one) =>
    one.items.some((item) =>
      item.type === "submenu" ? item.submenu && hasEntries(item.submenu)
      : item.type === "command" && commands.isVisible(item.command, item.args),
    );
  for (const item of [...menu.items]) {
    if (item.type === "submenu" && item.submenu && !hasEntries(item.submenu)) menu.removeItem(item);
  }
}
