// Zoom and pan of the waveform drawing. Without it the page shows the same drawing, unzoomed.
// A stretch is drawn anew from the exact times, with the rules and sizes of _waves.py and _svg.py.
(function () {
  "use strict";
  var NS = "http://www.w3.org/2000/svg", SHORTEST = 100, PX_PER_MARK = 3, PX_PER_BAR = 2, FEWEST_OF_BURST = 8, PX_OF_BURST = 2;
  var UNITS = [["s", 1e15], ["ms", 1e12], ["µs", 1e9], ["ns", 1e6], ["ps", 1e3], ["fs", 1]];

  function setUp(plot) {
    var width = plot.viewBox.baseVal.width, pad = Number(plot.dataset.pad), usable = width - 2 * pad;
    var start = Number(plot.dataset.start), whole = Number(plot.dataset.end) - start;
    var from = 0, span = whole;  // what is shown, in fs after the view's start
    var holder = plot.closest(".drawing"), axis = plot.querySelector(".hw-axis");
    var original = Array.from(axis.childNodes), rows = Array.from(plot.querySelectorAll("g[data-kind]"), read);

    function read(group) {
      var t = 0, data = group.dataset, bars = group.querySelector(".bars"), steps = [];
      if (bars) {
        bars.getAttribute("d").replace(/H([\d.]+)V([\d.]+)/g, function (_, x, y) { steps.push([Number(x), Number(y)]); });
      }
      return { group: group, kind: data.kind, top: Number(data.top), bottom: Number(data.bottom), until: Number(data.until),
               t: data.t ? data.t.split(" ").map(function (part) { return t += parseInt(part, 36); }) : [],
               v: data.v ? data.v.split(" ") : [], wide: data.hex === "1", steps: steps,
               drawn: Array.from(group.childNodes).filter(function (node) { return node.tagName !== "title"; }) };
    }
    function place(t) { return pad + (t - from) * usable / span; }
    function node(parent, tag, className, attributes) {
      var made = document.createElementNS(NS, tag);
      if (className) { made.setAttribute("class", className); }
      Object.keys(attributes).forEach(function (name) { made.setAttribute(name, attributes[name]); });
      return parent.appendChild(made);
    }
    function path(row, className, d) { if (d) { node(row.group, "path", className, { d: d }); } }
    function text(parent, x, y, content, className, anchor) {
      node(parent, "text", className, { x: x, y: y, "text-anchor": anchor }).textContent = content;
    }
    function first(list, t) {  // place of the first entry of a sorted list that is not below t
      var low = 0, high = list.length, middle;
      while (low < high) {
        middle = low + high >> 1;
        if (list[middle] < t) { low = middle + 1; } else { high = middle; }
      }
      return low;
    }
    function time(fs) {
      var unit = UNITS.find(function (u) { return u[1] <= fs; }) || UNITS[5];
      return fs / unit[1] + " " + unit[0];
    }
    function drawAxis() {
      var step = 1, k = 0, begin = start + from, to = begin + span;
      while (step * width / 90 < span) { step = [1, 2, 5][++k % 3] * Math.pow(10, Math.floor(k / 3)); }
      var unit = UNITS.find(function (u) { return u[1] <= to && step / u[1] >= 0.01; }) || UNITS[5];
      var digits = Math.max(0, Math.ceil(-Math.log10(step / unit[1]) - 1e-9)), d = "", tick = Math.ceil(begin / step) * step;
      var base = to >= 1e4 * unit[1] ? Math.floor(begin / (1e3 * unit[1])) * 1e3 * unit[1] : 0;
      if (to - base >= 1e4 * unit[1]) { base = tick; }
      axis.replaceChildren(original.find(function (part) { return part.tagName === "path"; }).cloneNode());
      for (var n = 0; tick <= to; tick += step, n++) {
        var x = place(tick - start), label = (base ? "+" : "") + ((tick - base) / unit[1]).toFixed(digits);
        d += "M" + x + " " + axis.dataset.top + "V" + axis.dataset.bottom;
        if (n === 0) { label = (base ? time(base) + " " : "") + label + " " + unit[0]; }
        var half = label.length * 2.8;
        var anchor = x < half || base && n === 0 ? "start" : x + half > width ? "end" : "middle";
        if (!(base && n === 1)) { text(axis, x, axis.dataset.text, label, "", anchor); }
      }
      axis.querySelector("path").setAttribute("d", d);
    }
    function rest(row) { path(row, "rest", "M" + pad + " " + row.bottom + "H" + (width - pad)); }
    function drawStems(row, a, b) {
      var stems = "", heads = "", event = row.kind === "event";
      for (var i = a; i < b; i++) {
        var x = place(row.t[i]);
        stems += "M" + x + " " + row.bottom + "V" + row.top;
        heads += "M" + x + " " + row.top + "h0";
      }
      rest(row);
      path(row, event ? "event" : "pulse", stems);
      path(row, event ? "flag" : "head", heads);
      for (i = a; event && i < b; i++) {
        var room = (i + 1 < row.t.length ? Math.min(width, place(row.t[i + 1])) : width) - place(row.t[i]) - 9;
        if (row.v[i].length * 6.1 <= room) { text(row.group, place(row.t[i]) + 6, row.top + 9, row.v[i], "value", "start"); }
      }
    }
    function drawLevels(row, a, b) {
      var d = "", middle = Math.floor((row.top + row.bottom) / 2), end = place(from + span), last = pad, texts = [];
      for (var i = a; i <= b; i++) {
        var x = i < b ? place(row.t[i]) : end, value = row.v[i], slant = Math.min(3, (x - last) / 2);
        if (x === last) { continue; }  // several changes in one femtosecond: the last one counts
        if (row.kind === "line") {
          d += (d ? "" : "M" + last + " " + (value === "0" ? row.bottom : row.top)) + "V" + (value === "0" ? row.bottom : row.top) + "H" + x;
        } else {
          d += "M" + last + " " + middle + "L" + (last + slant) + " " + row.top + "H" + (x - slant) + "L" + x + " " + middle +
               "L" + (x - slant) + " " + row.bottom + "H" + (last + slant) + "Z";
          var shown = row.wide && value[0] !== "-" ? "0x" + BigInt(value).toString(16) : value;
          if (shown.length * 6.1 + 8 <= x - last) { texts.push([(last + x) / 2, shown]); }
        }
        last = x;
      }
      path(row, row.kind, d);
      texts.forEach(function (found) { text(row.group, found[0], middle + 4, found[1], "value", "middle"); });
    }
    function drawBars(row, a, b) {
      var bars = Math.floor(usable / PX_PER_BAR), counts = new Array(bars).fill(0), d = "M" + pad + " " + row.bottom, last = 0;
      for (var i = a; i < b; i++) { counts[Math.min(bars - 1, Math.floor((place(row.t[i]) - pad) / PX_PER_BAR))]++; }
      var most = Math.max.apply(null, counts);
      counts.concat(0).forEach(function (count, n) {
        if (count !== last) { d += "H" + (pad + n * PX_PER_BAR) + "V" + (row.bottom - count / most * (row.bottom - row.top)); }
        last = count;
      });
      rest(row);
      path(row, "bars", d + "Z");
    }
    function stretchBars(row) {  // beyond the exact times: the bars of the whole view, wider
      var d = "", y = row.bottom, at = function (x) {
        return Math.min(width - pad, Math.max(pad, place((x - pad) * whole / usable)));
      };
      row.steps.concat([[width - pad, row.bottom]]).forEach(function (step) {
        d += (d ? "" : "M" + pad + " " + row.bottom + "V" + y) + "H" + at(step[0]) + "V" + step[1];
        y = step[1];
        if (at(step[0]) === pad) { d = ""; }
      });
      rest(row);
      path(row, "bars", d + "Z");
    }
    function drawRow(row) {
      row.group.replaceChildren(row.group.querySelector("title"));
      var a = first(row.t, from), b = first(row.t, from + span + 1e-6), gaps = [];
      if (from + span > row.until) { return stretchBars(row); }
      for (var i = a + 1; i < b && b - a <= usable / PX_PER_MARK; i++) { gaps.push((row.t[i] - row.t[i - 1]) * usable / span); }
      gaps.sort(function (p, q) { return p - q; });
      var levels = row.kind === "bus" || row.kind === "line", half = gaps.length >> 1;
      var median = gaps.length % 2 ? gaps[half] : (gaps[half - 1] + gaps[half]) / 2;
      if (b - a > usable / PX_PER_MARK || !levels && b - a >= FEWEST_OF_BURST && median < PX_OF_BURST) { return drawBars(row, a, b); }
      (levels ? drawLevels : drawStems)(row, a, b);
    }
    function draw() {
      span = Math.min(whole, Math.max(SHORTEST, span));
      from = Math.min(whole - span, Math.max(0, from));
      plot.dataset.from = from;
      plot.dataset.span = span;
      if (span === whole) {
        axis.replaceChildren.apply(axis, original);
        rows.forEach(function (row) {
          row.group.replaceChildren.apply(row.group, [row.group.querySelector("title")].concat(row.drawn));
        });
      } else {
        drawAxis();
        rows.forEach(drawRow);
      }
    }
    function zoom(factor, at) {
      var held = from + span * at, wanted = Math.min(whole, Math.max(SHORTEST, span * factor));
      from = held - wanted * at;
      span = wanted;
      draw();
    }
    function move(part) { from += span * part; draw(); }
    function where(event) {  // 0 at the left end of the stretch, 1 at its right
      var outer = holder.querySelector("svg.hw-waves"), area = outer.getBoundingClientRect();
      var scale = area.width / outer.viewBox.baseVal.width;
      return (event.clientX - area.left - (plot.x.baseVal.value + pad) * scale) / (usable * scale);
    }
    function button(label, name, action) {
      var made = document.createElement("button");
      made.type = "button"; made.textContent = label; made.setAttribute("aria-label", name); made.title = name;
      made.addEventListener("click", action);
      bar.appendChild(made);
    }

    var bar = document.createElement("div"), dragged = null;
    bar.className = "zoom"; bar.setAttribute("role", "group"); bar.setAttribute("aria-label", "Zoom of the waveforms");
    button("+", "Zoom in", function () { zoom(0.5, 0.5); });
    button("−", "Zoom out", function () { zoom(2, 0.5); });
    button("←", "Earlier", function () { move(-0.25); });
    button("→", "Later", function () { move(0.25); });
    button("All", "Show the whole view", function () { from = 0; span = whole; draw(); });
    bar.appendChild(document.createTextNode("or Ctrl and the wheel; drag to move"));
    holder.parentNode.insertBefore(bar, holder);
    plot.addEventListener("wheel", function (event) {
      if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 0.8 : 1.25, where(event)); }
    }, { passive: false });
    plot.addEventListener("pointerdown", function (event) {
      if (event.pointerType === "mouse" && span < whole) { dragged = { at: where(event), from: from }; event.preventDefault(); }
    });
    window.addEventListener("pointermove", function (event) {
      if (dragged) { from = dragged.from - (where(event) - dragged.at) * span; draw(); }
    });
    window.addEventListener("pointerup", function () { dragged = null; });
  }
  document.querySelectorAll(".waves svg.hw-plot").forEach(setUp);
}());
