// A wide word delayed by one edge, and its complement.
module wide (input clk, input [129:0] a, output reg [129:0] q, output [63:0] low);
    always @(posedge clk) q <= ~a;
    assign low = q[63:0];
endmodule
