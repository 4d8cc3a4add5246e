package browser

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"maps"
	"math"
	"slices"
	"testing"
)

// encodeGIF encodes an animation that repeats forever. All frames share one palette, and each has only the
// pixels that differ from the frame before.
func encodeGIF(t *testing.T, frames []frame) []byte {
	t.Helper()
	palette := sharedPalette(frames)
	index := map[color.RGBA]uint8{} // of the colours seen so far
	animation := &gif.GIF{}
	var before *image.RGBA
	for _, one := range frames {
		animation.Image = append(animation.Image, difference(before, one.picture, palette, index))
		animation.Delay = append(animation.Delay, one.delay)
		animation.Disposal = append(animation.Disposal, gif.DisposalNone)
		before = one.picture
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, animation); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// sharedPalette returns a transparent colour and the most frequent colours of the frames. Colours that the
// eye cannot tell apart count as one.
func sharedPalette(frames []frame) color.Palette {
	const step = 4 // of a colour's components
	counts := map[color.RGBA]int{}
	for _, one := range frames {
		for i := 0; i < len(one.picture.Pix); i += 4 {
			pixel := one.picture.Pix[i : i+3]
			counts[color.RGBA{pixel[0] / step * step, pixel[1] / step * step, pixel[2] / step * step, 0xff}]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G),
			cmp.Compare(a.B, b.B))
	})
	palette := color.Palette{color.RGBA{}}
	for _, colour := range colours[:min(255, len(colours))] {
		if colour.R >= 0xfc && colour.G >= 0xfc && colour.B >= 0xfc {
			colour = color.RGBA{0xff, 0xff, 0xff, 0xff}
		}
		palette = append(palette, colour)
	}
	return palette
}

// difference returns the rectangle in which a picture differs from the one before, with transparent pixels
// where both are equal. index caches the palette's indexes.
func difference(
	before, picture *image.RGBA, palette color.Palette, index map[color.RGBA]uint8,
) *image.Paletted {
	changed := picture.Bounds()
	if before != nil {
		changed = changedRectangle(before, picture)
	}
	paletted := image.NewPaletted(changed, palette)
	for y := changed.Min.Y; y < changed.Max.Y; y++ {
		for x := changed.Min.X; x < changed.Max.X; x++ {
			colour := picture.RGBAAt(x, y)
			if before != nil && before.RGBAAt(x, y) == colour {
				continue
			}
			nearest, known := index[colour]
			if !known {
				nearest = uint8(1 + palette[1:].Index(colour))
				index[colour] = nearest
			}
			paletted.SetColorIndex(x, y, nearest)
		}
	}
	return paletted
}

// changedRectangle returns the smallest rectangle with all differences, or one pixel if there are none.
func changedRectangle(before, picture *image.RGBA) image.Rectangle {
	changed := image.Rectangle{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if before.RGBAAt(x, y) != picture.RGBAAt(x, y) {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if changed.Empty() {
		return image.Rect(0, 0, 1, 1)
	}
	return changed
}

func fillArea(picture *image.RGBA, area image.Rectangle, colour color.RGBA) {
	draw.Draw(picture, area, image.NewUniform(colour), image.Point{}, draw.Src)
}

// drawWindow draws a window with a title bar around a page.
func drawWindow(picture *image.RGBA, at image.Point, page image.Image) {
	size := page.Bounds().Size()
	window := image.Rectangle{at, at.Add(size).Add(image.Pt(0, titleBar))}
	fillArea(picture, window.Inset(-1), color.RGBA{0xb4, 0xbf, 0xcc, 0xff})
	fillArea(picture, window, color.RGBA{0xee, 0xf1, 0xf5, 0xff})
	for i, colour := range []color.RGBA{{0xf2, 0x6d, 0x62, 0xff}, {0xf0, 0xb9, 0x49, 0xff},
		{0x5d, 0xbf, 0x6a, 0xff}} {
		drawDisc(picture, at.Add(image.Pt(14+i*16, titleBar/2)), 5, colour)
	}
	draw.Draw(picture, image.Rectangle{at.Add(image.Pt(0, titleBar)), window.Max}, page, page.Bounds().Min,
		draw.Src)
}

// drawDisc draws a disc with a soft edge.
func drawDisc(picture *image.RGBA, center image.Point, radius float64, colour color.RGBA) {
	paint(picture, center, radius, func(distance float64) float64 { return radius + 0.5 - distance }, colour)
}

// drawRing draws a circle around a click.
func drawRing(picture *image.RGBA, center image.Point, radius float64) {
	blue := color.RGBA{0x1d, 0x4e, 0xd8, 0xff}
	paint(picture, center, radius+2,
		func(distance float64) float64 { return 1.75 - math.Abs(distance-radius) }, blue)
}

// paint mixes a colour into the pixels around center. opacity returns how much of it, by the distance from
// center; values outside of 0 to 1 are clipped.
func paint(
	picture *image.RGBA, center image.Point, reach float64, opacity func(distance float64) float64,
	colour color.RGBA,
) {
	for y := center.Y - int(reach) - 1; y <= center.Y+int(reach)+1; y++ {
		for x := center.X - int(reach) - 1; x <= center.X+int(reach)+1; x++ {
			part := min(1, max(0, opacity(math.Hypot(float64(x-center.X), float64(y-center.Y)))))
			picture.SetRGBA(x, y, mix(picture.RGBAAt(x, y), colour, part))
		}
	}
}

func mix(a, b color.RGBA, part float64) color.RGBA {
	component := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-part) + float64(b)*part)) }
	return color.RGBA{component(a.R, b.R), component(a.G, b.G), component(a.B, b.B), 0xff}
}

// pointerShape is an arrow: # is its edge, and . its inside.
var pointerShape = []string{
	"#",
	"##",
	"#.#",
	"#..#",
	"#...#",
	"#....#",
	"#.....#",
	"#......#",
	"#.......#",
	"#........#",
	"#.........#",
	"#..........#",
	"#......#####",
	"#...#..#",
	"#..##..#",
	"#.#  #..#",
	"##   #..#",
	"#     #..#",
	"      #..#",
	"       ##",
}

// drawPointer draws a mouse pointer whose tip is at a point.
func drawPointer(picture *image.RGBA, tip image.Point) {
	colours := map[rune]color.RGBA{'#': {0xff, 0xff, 0xff, 0xff}, '.': {0x11, 0x18, 0x27, 0xff}}
	for y, row := range pointerShape {
		for x, pixel := range row {
			if colour, drawn := colours[pixel]; drawn {
				picture.SetRGBA(tip.X+x, tip.Y+y, colour)
			}
		}
	}
}
