"""The BlazePose networks on LiteRT: their files, regions, anchors, decoding."""
