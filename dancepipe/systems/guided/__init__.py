"""Guided-Pix2Pix (AlBahar and Huang, ICCV 2019): bi-directional feature transformation."""
