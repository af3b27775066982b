// bind_copies.cpp - what Python sees of copies.hpp: strided arrays read by their layout, work cut into tasks.
#include <string>

#include "map_tasks.hpp"

namespace convgrad {

namespace {

/// Axes that are left when those that lie as one are taken together; NumPy copies arrays with more.
constexpr int kMostAxes = 8;
/// Bytes of the result that are copied together where rows are read from columns, and items of one row.
constexpr Index kTileBytes = Index(1) << 14, kTileRowBytes = 256;
/// What an item takes a thread, in picoseconds: in rows, and where each is read from another line.
constexpr Index kLineCost = 150, kTurnCost = 400;

/// Places that lie as steps say, in bytes: in what is read, and in what is written.
struct Grid {
  int axes = 0;
  Index shape[kMostAxes + 2], from[kMostAxes + 2], to[kMostAxes + 2];

  void add(Index count, Index from_step, Index to_step) {
    shape[axes] = count;
    from[axes] = from_step;
    to[axes++] = to_step;
  }
  Index places() const {
    Index count = 1;
    for (int i = 0; i < axes; i++) count *= shape[i];
    return count;
  }
};

/// A walk over a grid's places, the last axis first.
struct Walk {
  const Grid& grid;
  const char* x;
  char* out;
  Index at[kMostAxes + 2];

  Walk(const Grid& grid, const char* x, char* out, Index start) : grid(grid), x(x), out(out) {
    for (int i = grid.axes - 1; i >= 0; i--) {
      at[i] = start % grid.shape[i];
      start /= grid.shape[i];
      this->x += at[i] * grid.from[i];
      this->out += at[i] * grid.to[i];
    }
  }
  void next() {
    for (int i = grid.axes - 1; i >= 0; i--) {
      x += grid.from[i];
      out += grid.to[i];
      if (++at[i] < grid.shape[i]) return;
      x -= grid.shape[i] * grid.from[i];
      out -= grid.shape[i] * grid.to[i];
      at[i] = 0;
    }
  }
};

/// The axes of an array and of its contiguous copy, without those of one item, those that lie as one taken
/// together; false if too many are left.
bool merge_axes(const ArrayObject& x, Index itemsize, Grid& grid) {
  Index merged[2][kMostAxes];
  int axes = 0;
  for (int i = 0; i < x.ndim; i++) {
    const Index count = Index(x.shape[i]), step = Index(x.strides[i]);
    if (count == 1) continue;
    if (axes > 0 && merged[1][axes - 1] == step * count) {
      merged[0][axes - 1] *= count;
      merged[1][axes - 1] = step;
      continue;
    }
    if (axes == kMostAxes) return false;
    merged[0][axes] = count;
    merged[1][axes++] = step;
  }
  Index size = itemsize;
  for (int i = 0; i < axes; i++) size *= merged[0][i];
  for (int i = 0; i < axes; i++) {
    size /= merged[0][i];
    grid.add(merged[0][i], merged[1][i], size);
  }
  if (axes == 0) grid.add(1, itemsize, itemsize);
  return true;
}

/// The axis along which tiles are read beside the last one: that of the nearest items where they are nearer
/// than those of the last, or the one before the last if a row is too short for a loop; -1: none.
int turned_axis(const Grid& grid, Index itemsize) {
  const int last = grid.axes - 1;
  const auto distance = [&](int i) { return grid.from[i] < 0 ? -grid.from[i] : grid.from[i]; };
  if (last > 0 && grid.shape[last] <= 4 && distance(last) == itemsize) return last - 1;
  int nearest = last;
  for (int i = 0; i < last; i++)
    if (distance(i) > 0 && distance(i) < distance(nearest)) nearest = i;
  return nearest == last ? -1 : nearest;
}

void copy_lines(const Grid& all, LineCopy line, Index itemsize, const char* x, char* out) {
  Grid rows = all;
  const int last = --rows.axes;
  const Index row = all.shape[last], step = all.from[last];
  in_tasks(all.places(), itemsize, kLineCost, [&](Index start, Index count) {
    Walk walk(rows, x, out, start / row);
    for (Index column = start % row; count > 0; column = 0, walk.next()) {
      const Index n = min(count, row - column);
      line(walk.x + column * step, step, walk.out + column * itemsize, n);
      count -= n;
    }
  });
}

void copy_tiles(const Grid& all, int turned, TurnCopy turn, Index itemsize, const char* x, char* out) {
  const int last = all.axes - 1;
  const Index rows = all.shape[turned], columns = all.shape[last];
  const Index width = min(columns, kTileRowBytes / itemsize), height = kTileBytes / itemsize / width;
  Grid tiles;
  for (int i = 0; i < last; i++)
    if (i != turned) tiles.add(all.shape[i], all.from[i], all.to[i]);
  const int down = tiles.axes, across = down + 1;
  tiles.add(ceil_div(rows, height), height * all.from[turned], height * all.to[turned]);
  tiles.add(ceil_div(columns, width), width * all.from[last], width * itemsize);
  const Index items = min(rows, height) * width;
  in_tasks(tiles.places(), items * itemsize, items * kTurnCost, [&](Index start, Index count) {
    Walk walk(tiles, x, out, start);
    for (; count > 0; count--, walk.next())
      turn(walk.x, all.from[turned], all.from[last], walk.out, all.to[turned],
           min(height, rows - walk.at[down] * height), min(width, columns - walk.at[across] * width));
  });
}

/// Where the elements of an array lie, from the first byte to behind the last.
Extent extent(const ArrayObject& a, Index itemsize) {
  const char *begin = a.data, *end = a.data + itemsize;
  for (int i = 0; i < a.ndim; i++) {
    const Index reach = Index(a.shape[i] - 1) * Index(a.strides[i]);
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

bool is_aligned(const ArrayObject& a, Index itemsize) {
  const Index unit = min(itemsize, 8);
  bool whole = reinterpret_cast<std::uintptr_t>(a.data) % std::uintptr_t(unit) == 0;
  for (int i = 0; i < a.ndim; i++) whole = whole && Index(a.strides[i]) % unit == 0;
  return whole;
}

/// out[...] = x for a contiguous array of x's shape and dtype, which may hold no references; false where
/// NumPy is to copy.
bool copy_strided(nb::handle x, nb::handle out) {
  if (Py_TYPE(x.ptr()) != array_layout.array || Py_TYPE(out.ptr()) != array_layout.array) return false;
  const auto& from = *reinterpret_cast<const ArrayObject*>(x.ptr());
  const auto& to = *reinterpret_cast<const ArrayObject*>(out.ptr());
  constexpr int kWanted = ArrayObject::kContiguous | ArrayObject::kWriteable;
  if (from.dtype != to.dtype || from.ndim != to.ndim || (to.flags & kWanted) != kWanted) return false;
  Index size = 1;
  for (int i = 0; i < from.ndim; i++) {
    if (from.shape[i] != to.shape[i]) return false;
    size *= Index(from.shape[i]);
  }
  if (size == 0) return true;
  const Index itemsize = nb::cast<Index>(x.attr("itemsize"));
  int kind = 0;
  while (kind < kItemSizes && Index(1) << kind != itemsize) kind++;
  Grid grid;
  if (kind == kItemSizes || !is_aligned(from, itemsize) || !is_aligned(to, itemsize) ||
      !merge_axes(from, itemsize, grid))
    return false;
  const Extent read = extent(from, itemsize), written = extent(to, itemsize);
  if (read.begin < written.end && written.begin < read.end) return false;
  const Copies& loops = table_in_use().copies;
  const int turned = turned_axis(grid, itemsize);
  if (turned < 0) copy_lines(grid, loops.lines[kind], itemsize, from.data, to.data);
  else copy_tiles(grid, turned, loops.turns[kind], itemsize, from.data, to.data);
  return true;
}

/// The formats of the elements between which there are casts, by their code.
constexpr char kFormats[] = {'f', 'd', 'q', 'i', 'B', '?'};
constexpr Index kBytes[] = {4, 8, 8, 4, 1, 1};

int element_of(const ArrayObject& a) {
  for (int i = 0; i < kElements; i++)
    if (a.dtype == array_layout.dtypes[int(kFormats[i])]) return i;
  return -1;
}

/// out[...] = x in out's dtype, for contiguous arrays of as many elements; false where NumPy is to cast.
bool cast_elements(nb::handle x, nb::handle out) {
  if (Py_TYPE(x.ptr()) != array_layout.array || Py_TYPE(out.ptr()) != array_layout.array) return false;
  const int given = element_of(*reinterpret_cast<const ArrayObject*>(x.ptr()));
  const int wanted = element_of(*reinterpret_cast<const ArrayObject*>(out.ptr()));
  if (given < 0 || wanted < 0) return false;
  const CastLoop loop = table_in_use().copies.casts[given][wanted];
  if (loop == nullptr) return false;
  const Buffer from(x, kFormats[given], Access::Read), to(out, kFormats[wanted], Access::Write);
  check_size(from, to.size());
  const Extent read = extent(from, kBytes[given]), written = extent(to, kBytes[wanted]);
  if (read.begin < written.end && written.begin < read.end) return false;
  if (to.size() == 0) return true;
  in_tasks(to.size(), max(kBytes[given], kBytes[wanted]), 200, [&](Index i, Index count) {
    const KeepSubnormals as_numpy;
    loop(from.data<char>() + i * kBytes[given], to.data<char>() + i * kBytes[wanted], count);
  });
  return true;
}

}  // namespace

void bind_copies(nb::module_& m) {
  m.def("copy_strided", &copy_strided, nb::arg("x"), nb::arg("out"));
  m.def("cast_elements", &cast_elements, nb::arg("x"), nb::arg("out"));
}

}  // namespace convgrad
