// Lamina's coverage report: what moves. Text from sources only ever goes into textContent.
(function () {
  "use strict";
  var root = document.documentElement, single, view, corner;
  root.classList.add("on");

  function keep(name, value) {
    try {
      if (value === undefined) return localStorage.getItem("lamina-" + name);
      if (value === null) localStorage.removeItem("lamina-" + name);
      else localStorage.setItem("lamina-" + name, value);
    } catch (e) { /* a browser that keeps nothing */ }
    return null;
  }
  function all(selector, from) { return Array.prototype.slice.call((from || view).querySelectorAll(selector)); }
  function one(selector, from) { return (from || view).querySelector(selector); }
  function make(tag, attributes, text) {
    var e = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (k) { e.setAttribute(k, attributes[k]); });
    if (text !== undefined) e.textContent = text;
    return e;
  }

  // ---- light and dark ----
  if (/^(light|dark)$/.test(keep("theme"))) root.dataset.theme = keep("theme");
  function switchTheme() {
    var system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    var next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    if (next === system) { delete root.dataset.theme; keep("theme", null); }
    else { root.dataset.theme = next; keep("theme", next); }
  }

  // ---- lists: sorting, filter, keys ----
  function cellValue(row, i) {
    var cell = row.cells[i];
    if (!cell) return "";
    if (cell.dataset.v !== undefined) return +cell.dataset.v;
    return /^\d+$/.test(cell.textContent) ? +cell.textContent : cell.textContent.trim();
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  }
  function sortBy(th, direction) {
    var table = th.closest("table"), i = th.cellIndex, body = table.tBodies[0];
    var now = th.getAttribute("aria-sort");
    var first = th.classList.contains("n") && th.textContent !== "Coverage" ? "descending" : "ascending";
    direction = direction || (now ? (now === "ascending" ? "descending" : "ascending") : first);
    all("th[aria-sort]", table).forEach(function (h) { h.removeAttribute("aria-sort"); });
    th.setAttribute("aria-sort", direction);
    var sign = direction === "ascending" ? 1 : -1;
    var rows = Array.prototype.map.call(body.rows, function (r) { return [cellValue(r, i), r]; });
    rows.sort(function (a, b) { return sign * compare(a[0], b[0]); });
    var fragment = document.createDocumentFragment();
    rows.forEach(function (r) { fragment.appendChild(r[1]); });
    body.appendChild(fragment);
    return direction;
  }
  function column(table, title) {
    return Array.prototype.findIndex.call(table.tHead.rows[0].cells, function (c) { return c.textContent === title; });
  }
  function addUp(table) {
    var foot = table.tFoot && table.tFoot.rows[0];
    if (!foot) return;
    if (!table.whole) table.whole = { html: foot.cloneNode(true) };
    var rows = Array.prototype.filter.call(table.tBodies[0].rows, function (r) {
      return !r.hidden && !(view.classList.contains("hide-ok") && r.classList.contains("ok"));
    });
    var whole = table.whole.html, shift = foot.cells[0].colSpan - 1;
    if (rows.length === table.tBodies[0].rows.length) {
      foot.replaceWith(whole.cloneNode(true));
      return;
    }
    var sum = {};
    ["Statements", "Missing", "Excluded", "Branches", "Partial"].forEach(function (title) {
      var i = column(table, title);
      if (i < 0) return;
      sum[title] = rows.reduce(function (n, r) { return n + +r.cells[i].textContent; }, 0);
      foot.cells[i - shift].textContent = sum[title];
    });
    var mb = rows.reduce(function (n, r) { return n + (+r.dataset.mb || 0); }, 0);
    var of = sum.Statements + (sum.Branches || 0), ran = of - sum.Missing - mb;
    var percent = of ? 100 * ran / of : 100, digits = +table.dataset.precision || 0, cell = foot.cells[column(table, "Coverage") - shift];
    var shown = percent.toFixed(digits), step = Math.pow(10, -digits);
    if (percent < 100 && +shown >= 100) shown = (100 - step).toFixed(digits);
    if (percent > 0 && +shown <= 0) shown = step.toFixed(digits);
    cell.className = "n pc " + (percent >= 90 ? "hi" : percent >= 70 ? "mid" : "lo");
    one("rect", cell).setAttribute("width", percent);
    one("span", cell).textContent = shown + "%";
    foot.cells[0].textContent = "Shown: " + rows.length;
  }
  function applyFilter() {
    var input = one(".filter"), table = one("table.list");
    if (!input || !table) return;
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
    Array.prototype.forEach.call(table.tBodies[0].rows, function (r) {
      if (r.words === undefined)
        r.words = all("th, td:not(.n)", r).map(function (c) { return c.textContent; }).join(" ").toLowerCase();
      r.hidden = !words.every(function (w) { return r.words.indexOf(w) >= 0; });
      shown += !r.hidden;
    });
    one(".none").hidden = shown > 0;
    addUp(table);
  }
  function setUpIndex(v) {
    var hide = one(".hide", v), filter = one(".filter", v), saved = (keep("sort-" + document.title + v.id) || "").split(" ");
    all("thead th", v).forEach(function (th) {
      th.firstElementChild.addEventListener("click", function () {
        keep("sort-" + document.title + v.id, th.textContent + " " + sortBy(th));
      });
      if (saved[0] && th.textContent === saved[0] && !/^Missing$|^Lines$/.test(saved[0] + (saved[1] === "ascending" ? "^" : "")))
        sortBy(th, saved[1]);
    });
    if (hide) {
      hide.addEventListener("change", function () {
        keep("hide", hide.checked ? "1" : null);
        v.classList.toggle("hide-ok", hide.checked);
        applyFilter();
      });
      if (keep("hide")) { hide.checked = true; v.classList.add("hide-ok"); }
    }
    if (filter) filter.addEventListener("input", applyFilter);
  }
  function moveRow(step) {
    var rows = all("table.list tbody tr").filter(function (r) { return r.offsetParent; });
    if (!rows.length) return;
    var at = rows.indexOf(one("tr.cur"));
    if (at >= 0) rows[at].classList.remove("cur");
    var next = rows[Math.max(0, Math.min(rows.length - 1, at + step))], link = one("a", next);
    next.classList.add("cur");
    if (link) link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  // ---- a file ----
  function src() { return one(".src"); }
  function shown(p) {
    var s = src().classList, c = p.classList;
    if (s.contains("only")) return c.contains("dim") ? "" : "only";
    return ["m", "p", "x", "r"].filter(function (k) { return c.contains(k) && s.contains("show-" + k); })[0] || "";
  }
  function chunks() {
    var found = [], last = "";
    Array.prototype.forEach.call(src().children, function (p) {
      var kind = shown(p);
      if (kind && kind === last) found[found.length - 1].push(p);
      else if (kind) found.push([p]);
      last = kind;
    });
    return found;
  }
  function select(chunk) {
    all(".src p.cur").forEach(function (p) { p.classList.remove("cur"); });
    if (!chunk) return;
    chunk.forEach(function (p) { p.classList.add("cur"); });
    var height = chunk[chunk.length - 1].getBoundingClientRect().bottom - chunk[0].getBoundingClientRect().top;
    chunk[0].scrollIntoView({ block: height > innerHeight / 2 ? "start" : "center" });
    one("a", chunk[0]).focus({ preventScroll: true });
    here();
  }
  function lineOf(p) { return p ? +one("a", p).textContent : 0; }
  function moveChunk(step) {
    var list = chunks(), now = one(".src p.cur") || one(".src p:target"), from = lineOf(now);
    if (!now) {
      var top = one(".top").getBoundingClientRect().bottom;
      var p = Array.prototype.find.call(src().children, function (l) { return l.getBoundingClientRect().bottom > top; });
      from = lineOf(p) - (step > 0 ? 1 : 0);
    }
    if (step < 0) list.reverse();
    var next = list.find(function (c) { return step > 0 ? lineOf(c[0]) > from : lineOf(c[0]) < from; });
    if (next) select(next);
  }
  function toggle(kind) {
    var button = one("[data-show=" + kind + "]");
    if (!button) return;
    var on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    src().classList.toggle("show-" + kind, on);
    keep("show-" + kind, on ? "1" : "0");
    here();
  }
  function linesOf(row) {
    if (row.dataset.context) {
      var mine = all(".src [data-c='" + row.dataset.context + "']").map(function (e) { return e.parentNode; });
      return function (p) { return mine.indexOf(p) >= 0; };
    }
    var ranges = row.dataset.lines.trim().split(" ").map(function (r) { return r.split("-").map(Number); });
    return function (p) {
      var n = lineOf(p);
      return /\b[rp]\b/.test(p.className) && ranges.some(function (r) { return n >= r[0] && n <= (r[1] || r[0]); });
    };
  }
  function choose(row) {
    var s = src(), was = row && row.classList.contains("chosen");
    all("tr.chosen").forEach(function (r) { r.classList.remove("chosen"); r.removeAttribute("aria-selected"); });
    all(".src .dim").forEach(function (p) { p.classList.remove("dim"); });
    s.classList.toggle("only", !!row && !was);
    if (!row || was) return;
    row.classList.add("chosen");
    row.setAttribute("aria-selected", "true");
    var is = linesOf(row);
    Array.prototype.forEach.call(s.children, function (p) { p.classList.toggle("dim", !is(p)); });
  }
  var pop;
  function closePop(back) {
    if (!pop) return false;
    if (back && pop.from.focus) pop.from.focus({ preventScroll: true });
    pop.remove();
    pop = null;
    return true;
  }
  function tellWho(from) {
    var row = one("tr[data-context='" + from.dataset.c + "']"), same = pop && pop.from === from;
    closePop();
    if (!row || same) return;
    var heads = all("thead th", row.closest("table")), list = make("dl");
    pop = make("div", { class: "pop", role: "dialog", "aria-label": "who ran this line first", tabindex: "-1" });
    pop.appendChild(make("p", {}, "Line " + lineOf(from.parentNode) + " was run first by"));
    Array.prototype.forEach.call(row.cells, function (cell, i) {
      if (!cell.textContent) return;
      list.appendChild(make("dt", {}, i === 5 ? "Lines here" : heads[i].textContent));
      list.appendChild(make("dd", {}, cell.textContent));
    });
    var only = make("button", { type: "button" }, row.classList.contains("chosen") ? "Show all lines" : "Show its lines alone");
    only.addEventListener("click", function () { choose(row); closePop(true); });
    pop.appendChild(list);
    pop.appendChild(only);
    pop.from = from;
    document.body.appendChild(pop);
    var at = from.getBoundingClientRect(), width = pop.offsetWidth;
    pop.style.top = scrollY + at.bottom + 4 + "px";
    pop.style.left = Math.max(8, Math.min(at.left, root.clientWidth - width - 24)) + "px";
    pop.focus({ preventScroll: true });
  }
  function here() {
    var ruler = one(".ruler"), lines = src() && src().children;
    if (!ruler || !lines.length) return;
    var top = one(".top").offsetHeight;
    ruler.style.top = top + "px";
    ruler.style.height = "calc(100% - " + top + "px)";
    var box = src().getBoundingClientRect(), n = ruler.viewBox.baseVal.height, rect = one(".here", ruler);
    if (!rect) {
      rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      rect.setAttribute("class", "here");
      rect.setAttribute("width", "1");
      ruler.appendChild(rect);
    }
    var from = Math.max(0, (top - box.top) / box.height), to = Math.min(1, (innerHeight - box.top) / box.height);
    rect.setAttribute("y", from * n);
    rect.setAttribute("height", Math.max(0, to - from) * n);
  }
  function setUpFile(v) {
    all("[data-show]", v).forEach(function (b) {
      b.addEventListener("click", function () { toggle(b.dataset.show); });
      var saved = keep("show-" + b.dataset.show);
      if (saved === null) return;
      b.setAttribute("aria-pressed", saved === "1");
      one(".src", v).classList.toggle("show-" + b.dataset.show, saved === "1");
    });
    all(".panel tbody tr", v).forEach(function (r) {
      r.tabIndex = 0;
      r.addEventListener("click", function () { choose(r); });
      r.addEventListener("keydown", function (e) { if (e.key === "Enter") choose(r); });
    });
    one(".src", v).addEventListener("click", function (e) {
      var who = e.target.closest(".w");
      if (who) { e.stopPropagation(); tellWho(who); }
    });
    all("button.w", v).forEach(function (b) {
      b.title = "first run by " + b.textContent;
      b.setAttribute("aria-label", "first run by " + b.textContent);
    });
    var ruler = one(".ruler", v);
    if (ruler) ruler.addEventListener("click", function (e) {
      var box = ruler.getBoundingClientRect();
      var n = Math.floor((e.clientY - box.top) / box.height * src().children.length);
      var p = src().children[Math.max(0, Math.min(src().children.length - 1, n))];
      p.scrollIntoView({ block: "center" });
    });
  }

  // ---- going somewhere ----
  function link(rel) { return one(rel === "up" ? ".up" : "a[rel=" + rel + "]"); }
  function follow(a) { if (a) a.click(); }
  var search, found = [];
  function withSearch(then) {
    if (search) return then();
    if (single) {
      search = JSON.parse(document.getElementById("search").textContent);
      return then();
    }
    var s = make("script", { src: "search.js" });
    s.onload = function () { search = window.laminaSearch || []; then(); };
    document.head.appendChild(s);
  }
  function matches(text, words) {
    text = text.toLowerCase();
    return words.every(function (w) { return text.indexOf(w) >= 0; });
  }
  function lookFor(text) {
    var words = text.toLowerCase().split(/\s+/).filter(Boolean), files = [], functions = [];
    search.forEach(function (f) {
      var to = (single ? "#" : "") + f[1];
      if (matches(f[0], words)) files.push([f[0], "", to]);
      if (words.length && functions.length < 200) f[2].forEach(function (g) {
        if (matches(f[0] + " " + g[0], words) && matches(g[0], words.slice(-1)))
          functions.push([g[0], f[0], to + (single ? "-L" : "#L") + g[1]]);
      });
    });
    files.sort(function (a, b) { return a[0].length - b[0].length; });
    functions.sort(function (a, b) { return a[0].length - b[0].length; });
    return files.slice(0, 30).concat(functions.slice(0, 60));
  }
  function find() {
    var dialog = make("dialog", { class: "find", "aria-label": "Go to a file or function" });
    var input = make("input", { type: "search", placeholder: "Go to a file or function", "aria-label": "Words of its name", spellcheck: "false" });
    var list = make("ul"), at = 0;
    function mark(to) {
      at = Math.max(0, Math.min(found.length - 1, to));
      all("a", list).forEach(function (a, i) { a.classList.toggle("cur", i === at); });
      if (list.children[at]) list.children[at].scrollIntoView({ block: "nearest" });
    }
    function fill() {
      list.textContent = "";
      found = lookFor(input.value);
      found.forEach(function (f) {
        var a = make("a", { href: f[2] }, f[0]), item = make("li");
        if (f[1]) a.appendChild(make("span", { class: "dir" }, f[1]));
        a.addEventListener("click", function () { dialog.close(); });
        item.appendChild(a);
        list.appendChild(item);
      });
      mark(0);
    }
    input.addEventListener("input", fill);
    dialog.addEventListener("keydown", function (e) {
      if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); mark(at + (e.key === "ArrowDown" ? 1 : -1)); }
      else if (e.key === "Enter" && list.children[at]) { e.preventDefault(); one("a", list.children[at]).click(); }
    });
    dialog.addEventListener("close", function () { dialog.remove(); });
    dialog.addEventListener("click", function (e) { if (e.target === dialog) dialog.close(); });
    dialog.appendChild(input);
    dialog.appendChild(list);
    document.body.appendChild(dialog);
    dialog.showModal();
    fill();
  }

  // ---- keys ----
  var keysOfFile = [["r m x p", "lines that are run, missing, excluded, partial"], ["w", "who ran a line first"],
    ["j k", "next, previous highlighted chunk"], ["0 1", "top of the page, first chunk"], ["[ ]", "previous, next file"],
    ["u", "up to the index"]];
  var keysOfIndex = [["n f c s m x b p", "sort by that column"], ["/", "filter"], ["h", "hide covered"],
    ["j k", "next, previous row; Enter opens it"]];
  var keysOfAll = [["g", "go to a file or function"], ["d", "dark or light"], ["?", "this help"], ["Esc", "close"]];
  function help() {
    var dialog = make("dialog", { class: "help", "aria-label": "Keys" }), table = make("table");
    dialog.appendChild(make("h2", {}, "Keys"));
    (src() ? keysOfFile : keysOfIndex).concat(keysOfAll).forEach(function (k) {
      var row = table.insertRow(), cell = row.insertCell();
      k[0].split(" ").forEach(function (one) { cell.appendChild(make("kbd", {}, one)); cell.append(" "); });
      row.insertCell().textContent = k[1];
    });
    dialog.appendChild(table);
    dialog.addEventListener("close", function () { dialog.remove(); });
    dialog.addEventListener("click", function (e) { if (e.target === dialog) dialog.close(); });
    document.body.appendChild(dialog);
    dialog.showModal();
  }
  function fileKey(key) {
    if (/^[rmxpw]$/.test(key)) toggle(key);
    else if (key === "j") moveChunk(1);
    else if (key === "k") moveChunk(-1);
    else if (key === "0") { select(null); scrollTo(0, 0); }
    else if (key === "1") select(chunks()[0]);
    else if (key === "[") follow(link("prev"));
    else if (key === "]") follow(link("next"));
    else if (key === "u") follow(link("up"));
    else return false;
    return true;
  }
  function indexKey(key) {
    var button = /^[a-z]$/.test(key) && one("thead button[data-key=" + key + "]"), hide = one(".hide");
    if (key === "/") one(".filter").focus();
    else if (key === "j") moveRow(1);
    else if (key === "k") moveRow(-1);
    else if (key === "h" && hide) hide.click();
    else if (button) button.click();
    else return false;
    return true;
  }
  function onKey(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (e.key === "Escape") {
      if (closePop(true)) return;
      if (src() && src().classList.contains("only")) choose(null);
      else if (src()) select(null);
      if (/^INPUT$/.test(e.target.tagName)) e.target.blur();
      return;
    }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== "checkbox") return;
    var done = true;
    if (e.key === "?") help();
    else if (e.key === "d") switchTheme();
    else if (e.key === "g") withSearch(find);
    else done = src() ? fileKey(e.key) : indexKey(e.key);
    if (done) e.preventDefault();
  }

  // ---- one file with all in it: the view that the address names ----
  function show() {
    var id = decodeURIComponent(location.hash.slice(1)), target = document.getElementById(id);
    closePop();
    if (single) {
      view = (target && target.closest(".view")) || document.getElementById("index");
      all(".view", document).forEach(function (v) { v.hidden = v !== view; });
      ready(view);
      if (target && target !== view) target.scrollIntoView({ block: "center" });
      else scrollTo(0, 0);
    } else if (target && target.closest(".src")) {
      target.scrollIntoView({ block: "center" });
    }
    if (corner) corner.classList.toggle("far", !src());
    here();
  }
  function ready(v) {
    if (v.ready) return;
    v.ready = true;
    view = v;
    if (v.classList.contains("file")) setUpFile(v);
    else { setUpIndex(v); applyFilter(); }
  }
  function icon(path) {
    var s = document.createElementNS("http://www.w3.org/2000/svg", "svg"), p = document.createElementNS("http://www.w3.org/2000/svg", "path");
    s.setAttribute("viewBox", "0 0 20 20");
    s.setAttribute("aria-hidden", "true");
    p.setAttribute("d", path);
    s.appendChild(p);
    return s;
  }
  function buttons() {
    corner = make("div", { class: "corner" });
    [["Go to a file or function (g)", "M8.5 3a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M12.5 12.5L17 17", function () { withSearch(find); }],
     ["Dark or light (d)", "M16 12.5A7 7 0 0 1 7.5 4a6.5 6.5 0 1 0 8.5 8.5", switchTheme],
     ["Keys (?)", "M7 7.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1-1.5 2.2M10 15.5v.1", help]].forEach(function (b) {
      var e = make("button", { type: "button", title: b[0], "aria-label": b[0] });
      e.appendChild(icon(b[1]));
      e.addEventListener("click", b[2]);
      corner.appendChild(e);
    });
    document.body.appendChild(corner);
  }
  document.addEventListener("DOMContentLoaded", function () {
    single = document.body.classList.contains("single");
    view = one(".view", document);
    buttons();
    if (!single) ready(view);
    show();
    addEventListener("hashchange", show);
    addEventListener("scroll", here, { passive: true });
    addEventListener("resize", here);
    document.addEventListener("keydown", onKey);
    document.addEventListener("click", function (e) {
      if (pop && !pop.contains(e.target)) closePop();
      if (e.target.closest(".src p > a")) select(null);
    });
  });
})();
