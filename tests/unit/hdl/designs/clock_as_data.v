// An output that shows the clock pin itself.
module clock_as_data (
  input clk,
  input a,
  output y,
  output reg q
);
  assign y = clk & a;
  always @(posedge clk) q <= a;
endmodule
