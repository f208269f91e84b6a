package simhost

import (
	"math/rand/v2"
	"time"
)

// regionNames are where nodes are, weights how many of a hundred.
var (
	regionNames = [...]string{"us-east", "us-west", "brazil", "ireland", "germany", "south africa", "india", "japan", "australia"}
	weights     = [...]int{20, 14, 5, 14, 20, 3, 8, 11, 5} // chosen: about where public nodes of blockchains are
)

// geography is the one-way delay between regions in ms.
type geography [len(regionNames)][len(regionNames)]int

// Delays between regions.
const (
	least = 5 // ms, also within a region
	most  = 150
)

// cloud is half of the round trips that cloud providers publish for these pairs,
// rounded. A detour over a third region hardly ever pays.
var cloud = geography{
	{5, 32, 57, 35, 45, 112, 95, 75, 100},
	{32, 5, 87, 65, 73, 143, 110, 52, 70},
	{57, 87, 5, 90, 100, 150, 150, 130, 150},
	{35, 65, 90, 5, 12, 80, 62, 105, 130},
	{45, 73, 100, 12, 5, 78, 58, 112, 140},
	{112, 143, 150, 80, 78, 5, 115, 150, 150},
	{95, 110, 150, 62, 58, 115, 5, 62, 75},
	{75, 52, 130, 105, 112, 150, 62, 5, 52},
	{100, 70, 150, 130, 140, 150, 75, 52, 5},
}

// drawn is a geography with delays by chance, so that detours often pay: what a
// network gains from choosing whom to listen to shows.
func drawn(rng *rand.Rand) (g geography) {
	for i := range g {
		g[i][i] = least
		for j := range i {
			g[i][j] = least + rng.IntN(most-least+1)
			g[j][i] = g[i][j]
		}
	}
	return g
}

// place is where a node is, and how far from its region's centre.
type place struct {
	region   int
	lastMile time.Duration
}

func randomPlace(rng *rand.Rand, mean time.Duration) place {
	n := rng.IntN(100)
	for r, w := range weights {
		if n -= w; n < 0 {
			return place{region: r, lastMile: time.Duration(rng.ExpFloat64() * float64(mean))}
		}
	}
	panic("weights do not add up to 100")
}
